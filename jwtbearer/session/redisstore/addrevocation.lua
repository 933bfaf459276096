-- Add a revocation and tell all replicas.
-- KEYS: revocation
-- ARGV: 1 instant before which refused tokens were issued (microseconds),
--       2 life (ms), 3 channel, 4 message
local value, life = ARGV[1], tonumber(ARGV[2])
local known = redis.call('GET', KEYS[1])
if known then
  if tonumber(known) > tonumber(value) then value = known end
  life = math.max(life, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], value, 'PX', life)
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
