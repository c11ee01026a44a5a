"""The ipywidget: state, requests and the built front end."""
