"""The TransferPanel: the softmax head retrained on another data set (Zeiler & Fergus 2014, section 5.2)."""
