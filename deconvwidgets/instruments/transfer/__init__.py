"""The TransferPanel: retraining the softmax classifier on another dataset (Zeiler & Fergus 2014, section 5.2)."""
