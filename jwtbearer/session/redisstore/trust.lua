-- Compare the server's run with the one that is trusted. After a restart of a
-- server that may have lost writes, nothing it holds is complete.
-- KEYS: trusted run, marker
-- ARGV: 1 run, 2 whether writes survive a restart
local known = redis.call('GET', KEYS[1])
if known == ARGV[1] then return 'same' end
redis.call('SET', KEYS[1], ARGV[1])
if not known then return 'new' end
if ARGV[2] == '1' then return 'kept' end
redis.call('DEL', KEYS[2])
return 'lost'
