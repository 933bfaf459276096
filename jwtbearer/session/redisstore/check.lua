-- One access to a session. Returns 'gone', 'lost', or 'alive' with the last access,
-- the expiry, 'touched' or '', 'due' or '' for a sync event, and then the tenant.
-- KEYS: session, marker, sessions of the subject, end of the subject's sessions
-- ARGV: 1 now, 2 keep, 3 sync, 4 idle, 5 remember (all microseconds), 6 address,
--       7 issued at, 8 adopt, 9 auto-initialize, 10 issuer, 11 id, 12 subject,
--       13 client, 14 tenant
local now, keep, idle = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])

local function store(expires, subject)
  local life = idle + keep
  if expires > 0 then life = math.min(life, expires - now) end
  life = math.max(1, math.ceil(life / 1000))
  redis.call('PEXPIRE', KEYS[1], life)
  if subject ~= '' then
    local ms = math.floor(now / 1000)
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ms)
    redis.call('ZADD', KEYS[3], ms + life, ARGV[11])
    if redis.call('PTTL', KEYS[3]) < life then redis.call('PEXPIRE', KEYS[3], life) end
  end
end

local s = redis.call('HMGET', KEYS[1], 'access', 'sync', 'expires', 'ended', 'tenant', 'subject')
if s[4] then
  if ARGV[8] == '1' then
    -- Forgotten, it would be adopted again by a client that goes on.
    local life = math.max(math.ceil(tonumber(ARGV[5]) / 1000), redis.call('PTTL', KEYS[1]))
    redis.call('PEXPIRE', KEYS[1], life)
  end
  return {'gone'}
end

-- What the server holds and lacks means something only if it has known
-- everything since the token was issued.
local since = redis.call('GET', KEYS[2])
if not since then
  if ARGV[9] == '0' then return {'lost'} end
  since = ARGV[1]
  redis.call('SET', KEYS[2], since)
end
since = tonumber(since)
local issued = tonumber(ARGV[7])
if issued < since and now - since < tonumber(ARGV[5]) then return {'lost'} end

if s[1] then
  local access, expires = tonumber(s[1]), tonumber(s[3])
  if (expires == 0 or now < expires) and now - access <= idle then
    local touched, due, tenant = '', '', ''
    if now - access > keep then
      s[1], touched = ARGV[1], 'touched'
      redis.call('HSET', KEYS[1], 'access', ARGV[1], 'address', ARGV[6])
      -- Only its own subject's list is at hand.
      store(expires, s[6] == ARGV[12] and s[6] or '')
    end
    if now - tonumber(s[2]) > tonumber(ARGV[3]) then
      due, tenant = 'due', s[5]
      redis.call('HSET', KEYS[1], 'sync', ARGV[1])
    end
    return {'alive', s[1], s[3], touched, due, tenant}
  end
end

if ARGV[8] == '0' then return {'gone'} end
local ended = redis.call('GET', KEYS[4])
if ARGV[12] ~= '' and ended and issued <= tonumber(ended) then return {'gone'} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'issuer', ARGV[10], 'id', ARGV[11], 'subject', ARGV[12], 'client', ARGV[13],
  'tenant', ARGV[14], 'device', '', 'address', ARGV[6], 'created', ARGV[1], 'access', ARGV[1], 'sync', ARGV[1], 'expires', '0')
store(0, ARGV[12])
return {'alive', ARGV[1], '0', 'touched', '', ''}
