"""The instruments, one folder each, on the platform's services and widgets."""
