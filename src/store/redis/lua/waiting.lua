-- The checkpoint beside HEAD.
local session = find(ARGV[2])
return session and not is_expired(session) and checkpoint(session)
