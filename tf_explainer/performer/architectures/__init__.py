"""Networks that Keras lacks: AlexNet, VGG-M and VGG-S, which are chains of layers, and `local_resnet`."""
