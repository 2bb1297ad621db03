"""TensorBoard plugins: Parts (what each filter stands for) and Explained images (which parts decide an image).

TensorBoard imports `parts.plugin` and `images.plugin` at its start: neither may import TensorFlow or Keras.
"""
