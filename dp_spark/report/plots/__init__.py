"""The plots of a report: numbers in, SVG text out."""
