"""Networks that Keras does not have: AlexNet, VGG-M and VGG-S, each a chain of layers."""
