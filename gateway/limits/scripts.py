"""What runs inside the store of a fleet's limits, as one step each.

The counters are a hash {full: when the bucket will be full again, day, used, spent}, the calls in flight a sorted set
of calls by when their lease ends; a run's total is a hash {calls, writes, cost, rows}. Moments are microseconds since
2026, which a double holds to some nanoseconds.
"""

from __future__ import annotations

NUMBERS = 5
"""How many numbers `TAKE` answers first: allowed, the deciding bucket or total, what of it, how many more calls, and
microseconds to wait (−1: until the day's end). Behind them stands what is used of each total, four numbers each."""

TAKE = """
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000000 + time[2]
local cost, member, lease, buckets = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local least, tight, kind, reset, far = 9e15, 1, 0, 0, 1e15
local puts = {}
local units, totals, told = {'calls', 'writes', 'cost', 'rows'}, {}, {}
for i = 2 * buckets + 1, #KEYS do
  local at, used = 4 + buckets * 7 + (i - 2 * buckets - 1) * 9, {}
  local kept = redis.call('HMGET', KEYS[i], unpack(units))
  for unit = 1, 4 do
    local most, more = tonumber(ARGV[at + unit]), tonumber(ARGV[at + 4 + unit])
    local before = tonumber(kept[unit]) or 0
    used[unit] = before + more
    if most > 0 and more > 0 and used[unit] > most then
      return {0, i - 2 * buckets, 3 + unit, math.max(0, most - before), 0}
    end
    told[#told + 1] = used[unit]
  end
  totals[#totals + 1] = {key = KEYS[i], used = used, life = ARGV[at + 9]}
end
for i = 1, buckets do
  local at = 4 + (i - 1) * 7
  local interval, full, most = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local quota, budget, day, life = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6], ARGV[at + 7]
  local counters, flight = KEYS[2 * i - 1], KEYS[2 * i]
  local kept = redis.call('HMGET', counters, 'full', 'day', 'used', 'spent')
  local put = {counters = counters, flight = flight, life = life, day = day}
  if interval > 0 then
    local from = math.min(math.max(tonumber(kept[1]) or now, now), now + full)
    put.full = from + interval
    -- a hundredth of a microsecond, as the numbers are doubles
    if put.full > now + full + 0.01 then return {0, i, 0, 0, math.ceil(put.full - now - full)} end
    local left = math.floor((now + full - put.full + 0.01) / interval)
    if left < least then least, tight, kind, reset = left, i, 0, math.ceil(put.full - now) end
  end
  if most > 0 then
    redis.call('ZREMRANGEBYSCORE', flight, '-inf', now)
    local left = most - 1 - redis.call('ZCARD', flight)
    if left < 0 then return {0, i, 1, 0, 1000000} end
    put.holds = true
    -- told only where nothing else is bounded
    if far + left < least then least, tight, kind, reset = far + left, i, 1, 1000000 end
  end
  if quota > 0 or budget > 0 then
    local same = kept[2] == day
    put.used = 1 + (same and tonumber(kept[3]) or 0)
    put.spent = cost + (same and tonumber(kept[4]) or 0)
    if quota > 0 and put.used > quota then return {0, i, 2, 0, -1} end
    if budget > 0 and put.spent > budget then return {0, i, 3, 0, -1} end
    if quota > 0 and quota - put.used < least then least, tight, kind, reset = quota - put.used, i, 2, -1 end
    if budget > 0 and budget - put.spent < least then least, tight, kind, reset = budget - put.spent, i, 3, -1 end
  end
  puts[i] = put
end
for _, put in ipairs(puts) do
  if put.full then redis.call('HSET', put.counters, 'full', string.format('%.3f', put.full)) end
  if put.used then
    redis.call('HSET', put.counters, 'day', put.day, 'used', put.used, 'spent', string.format('%.0f', put.spent))
  end
  if put.full or put.used then redis.call('PEXPIRE', put.counters, put.life) end
  if put.holds then
    redis.call('ZADD', put.flight, string.format('%.0f', now + lease), member)
    redis.call('PEXPIRE', put.flight, math.ceil(lease / 1000) + 60000)
  end
end
for _, total in ipairs(totals) do
  for unit = 1, 4 do redis.call('HSET', total.key, units[unit], string.format('%.0f', total.used[unit])) end
  redis.call('PEXPIRE', total.key, total.life)
end
if kind == 1 then least = least - far end
return {1, tight, kind, least, reset, unpack(told)}
"""

ADJUST = """
if redis.call('HGET', KEYS[1], 'day') == ARGV[2] then
  local spent = math.max(0, tonumber(redis.call('HGET', KEYS[1], 'spent')) + tonumber(ARGV[1]))
  redis.call('HSET', KEYS[1], 'spent', string.format('%.0f', spent))
end
return 1
"""

ADJUST_TOTAL = """
local units = {'calls', 'writes', 'cost', 'rows'}
if redis.call('EXISTS', KEYS[1]) == 1 then
  for unit = 1, 4 do
    local used = math.max(0, (tonumber(redis.call('HGET', KEYS[1], units[unit])) or 0) + tonumber(ARGV[unit]))
    redis.call('HSET', KEYS[1], units[unit], string.format('%.0f', used))
  end
end
return 1
"""
