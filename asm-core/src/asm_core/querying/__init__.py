"""Query objects, pages, cursors and summaries."""
