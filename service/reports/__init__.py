"""Reports as sheets in a language, their files, and the job that plans and fills them."""
