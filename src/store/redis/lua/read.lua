-- One version: HEAD where none is named.
local session = find(ARGV[2])
if not is_living(session) then return false end
return show(session, ARGV[3] == '' and session.head or ARGV[3])
