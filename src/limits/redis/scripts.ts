/** What Redis does at once, by its own clock: the semantics of `Limiter`, for all gateways together. */
import { createHash } from 'node:crypto'
import { ROUNDING } from '../limiter.js'

export interface Script {
  readonly text: string
  /** What Redis knows it by. */
  readonly sha: string
}

function scriptOf(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * Takes what all limits together have to give, or nothing of any.
 *
 * ARGV: the lease, its length in ms, then for each limit its concurrency, its capacity and its tokens for a
 * millisecond, 0 for what it does not limit. KEYS: for each limit the sorted set of leases by their ends, and the
 * bucket, where it has them. Answers with 0 (taken), 1 (rate) or 2 (concurrency), the time to wait in ms, and the time
 * it has counted with.
 */
export const ENTER = scriptOf(`
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + tonumber(clock[2]) / 1000
local at = string.format('%.17g', now)
local lease, length = ARGV[1], tonumber(ARGV[2])
local sets, buckets, key = {}, {}, 0

for i = 3, #ARGV, 3 do
  local concurrency = tonumber(ARGV[i])
  local capacity = tonumber(ARGV[i + 1])
  local speed = tonumber(ARGV[i + 2])
  if concurrency > 0 then
    key = key + 1
    redis.call('ZREMRANGEBYSCORE', KEYS[key], '-inf', at)
    if redis.call('ZCARD', KEYS[key]) >= concurrency then return {2, 0, at} end
    sets[#sets + 1] = KEYS[key]
  end
  if capacity > 0 then
    key = key + 1
    local known = redis.call('HMGET', KEYS[key], 'tokens', 'at')
    local tokens = capacity
    if known[1] then
      local since = now - tonumber(known[2])
      tokens = tonumber(known[1])
      if since > 0 then tokens = math.min(capacity, tokens + since * speed) end
      -- The clock was set back: nobody has to wait until it is what it was.
      if since < 0 then redis.call('HSET', KEYS[key], 'at', at) end
    end
    if tokens < 1 - ${ROUNDING} then
      return {1, math.ceil((1 - tokens) / speed - ${ROUNDING}), at}
    end
    buckets[#buckets + 1] = {KEYS[key], tokens - 1, capacity, speed}
  end
end

for _, set in ipairs(sets) do
  redis.call('ZADD', set, string.format('%.17g', now + length), lease)
  redis.call('PEXPIRE', set, length)
end
for _, bucket in ipairs(buckets) do
  local name, tokens, capacity, speed = unpack(bucket)
  redis.call('HSET', name, 'tokens', string.format('%.17g', tokens), 'at', at)
  -- A full bucket is as good as none. Three centuries are as good as ever, and what PEXPIRE can take.
  redis.call('PEXPIRE', name, string.format('%.0f', math.min(1e13, math.ceil((capacity - tokens) / speed))))
end
return {0, 0, at}
`)

/** KEYS: sorted sets. ARGV: the length of leases, then a lease for each set. Those that were forgotten are back. */
export const RENEW = scriptOf(`
local clock = redis.call('TIME')
local length = tonumber(ARGV[1])
local ends = string.format('%.17g', tonumber(clock[1]) * 1000 + tonumber(clock[2]) / 1000 + length)
for i, set in ipairs(KEYS) do
  redis.call('ZADD', set, ends, ARGV[i + 1])
  redis.call('PEXPIRE', set, length)
end
`)

/** KEYS: sorted sets. ARGV: a lease for each, which ends. */
export const RELEASE = scriptOf(`
for i, set in ipairs(KEYS) do redis.call('ZREM', set, ARGV[i]) end
`)
