-- Gives a worker the task with the best priority, and marks it as the worker's.
-- A worker that asks again before it has finished gets the same task again: asking twice is safe.
local waiting, running = KEYS[1], KEYS[2]
local worker = ARGV[1]

local id = redis.call('HGET', running, worker)
if not id then
  id = redis.call('ZPOPMIN', waiting)[1]
  if not id then return nil end
  redis.call('HSET', running, worker, id)
  redis.call('HSET', 'tasks:task:' .. id, 'state', 'running', 'worker', worker)
  redis.call('HINCRBY', 'tasks:task:' .. id, 'attempts', 1)
end
return { id, redis.call('HGET', 'tasks:task:' .. id, 'payload') }
