"""What pages, commands and workers share: context, home, file intake, job registry and publishing."""
