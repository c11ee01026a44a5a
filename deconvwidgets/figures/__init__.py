"""The drawing kit of all figures: canvases for PNG and SVG, lettering, HTML pages."""
