"""Reading: query objects, pages, cursors and summaries."""
