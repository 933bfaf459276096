-- End sessions, keep in mind that they ended, and tell all replicas.
-- KEYS: sessions, then, if only those of a subject are meant, its list of them
-- ARGV: 1 remember (ms), 2 channel, 3 message, 4 whether only sessions of a
--       subject are meant; if so, 5 that subject, and the identifiers
local alive, sessions = 0, #KEYS - tonumber(ARGV[4])
for i = 1, sessions do
  local key = KEYS[i]
  local s = redis.call('HMGET', key, 'access', 'ended', 'subject')
  if not s[2] and (ARGV[4] == '0' or s[3] == ARGV[5]) then
    if s[1] then alive = alive + 1 end
    redis.call('DEL', key)
    redis.call('HSET', key, 'ended', '1')
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
-- What has ended is off the list: the next end of the subject's sessions would
-- go through it again.
if ARGV[4] == '1' then redis.call('ZREM', KEYS[#KEYS], unpack(ARGV, 6)) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return alive
