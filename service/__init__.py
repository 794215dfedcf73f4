"""Application services shared by pages, commands and workers: context, file intake, job registry, publishing."""
