"""The encoder, the head, and the folder a trained model is stored in."""
