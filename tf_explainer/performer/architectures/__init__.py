"""Networks that Keras does not have: AlexNet, VGG-M and VGG-S, chains of layers; `local_resnet`."""
