-- End sessions, keep in mind that they ended, and tell all replicas.
-- KEYS: sessions
-- ARGV: 1 remember (ms), 2 channel, 3 message, 4 whether only sessions of a
--       subject are meant, 5 that subject
local alive = 0
for _, key in ipairs(KEYS) do
  local s = redis.call('HMGET', key, 'access', 'ended', 'subject')
  if not s[2] and (ARGV[4] == '0' or s[3] == ARGV[5]) then
    if s[1] then alive = alive + 1 end
    redis.call('DEL', key)
    redis.call('HSET', key, 'ended', '1')
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return alive
