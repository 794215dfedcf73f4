"""Write a scan's results: vector files, thumbnails, report and record."""
