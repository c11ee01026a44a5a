"""The computations of the experiment: public functions on models and images, independent of services and widgets."""
