"""What requires a person's attention: problems of the service, and their notices to administrators."""
