"""TensorBoard plugins: Parts (what each filter looks at), Explained images (which parts decide them).

TensorBoard imports `parts.plugin` and `images.plugin` when it starts: neither may import TensorFlow or Keras.
"""
