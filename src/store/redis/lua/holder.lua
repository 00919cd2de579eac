-- Who holds the running lease.
return held(find(ARGV[2]))
