-- Keep in mind that all sessions of a subject ended, and return those on its list.
-- KEYS: end of the subject's sessions, sessions of the subject
-- ARGV: 1 until when the tokens were issued that name ended sessions
--       (microseconds), 2 life (ms)
local ended, life = ARGV[1], tonumber(ARGV[2])
local known = redis.call('GET', KEYS[1])
if known then
  if tonumber(known) > tonumber(ended) then ended = known end
  life = math.max(life, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], ended, 'PX', life)
return redis.call('ZRANGE', KEYS[2], 0, -1)
