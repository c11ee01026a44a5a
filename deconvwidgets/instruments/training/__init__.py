"""Training of a network from images, by the recipe of Zeiler & Fergus 2014 or one of your own."""
