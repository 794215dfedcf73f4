"""HTTP as standard clients expect it: problem details, HEAD, known parameters, allowed hosts, compression, caching."""
