-- Keep in mind that all sessions of a subject ended, and return those on its list.
-- KEYS: end of the subject's sessions, sessions of the subject
-- ARGV: 1 now (microseconds), 2 remember (ms)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('ZRANGE', KEYS[2], 0, -1)
