-- Removes a session.
local session = find(ARGV[2])
if not session then return { 'done', {} } end
if not holds(session, ARGV[3], ARGV[4]) then return { 'lease_lost' } end
return { 'done', remove(session.name) }
