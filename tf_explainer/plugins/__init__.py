"""TensorBoard plugins: Parts (what each filter stands for), Explained images (which parts decide them).

TensorBoard imports `parts.plugin` and `images.plugin` at its start: neither may import TensorFlow or Keras.
"""
