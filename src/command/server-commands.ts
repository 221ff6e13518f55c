/**
 * The rows of the command table that work on the connection, on scripts and on the server itself. What the columns mean,
 * and their words, stands in `table.ts`.
 */
export const SERVER_COMMANDS = `
  # command             outage       repeated     keys         on the connection, pace
  # connections
  asking                refuse       same         -
  auth                  local        same         -            auth
  client                by-argument  by-argument  -            by-argument
  echo                  local        reads        -
  hello                 local        same         -            hello
  host:                 refuse       differs      -            hang-up
  ping                  local        reads        -
  post                  refuse       differs      -            hang-up
  quit                  local        same         -            quit
  readonly              refuse       same         -            sticky
  readwrite             refuse       same         -            sticky
  reset                 local        same         -            reset
  select                local        same         -            select
  # transactions
  discard               local        same         -            discard
  exec                  local        differs      -            exec
  multi                 local        same         -            multi
  unwatch               local        same         -            unwatch
  watch                 refuse       same         1..          watch
  # publish and subscribe
  psubscribe            local        same         -            subscribe
  publish               local        differs      -
  pubsub                local        reads        -
  punsubscribe          local        same         -            subscribe
  spublish              local        differs      -
  ssubscribe            local        same         -            subscribe
  subscribe             local        same         -            subscribe
  sunsubscribe          local        same         -            subscribe
  unsubscribe           local        same         -            subscribe
  # scripts
  eval                  refuse       differs      #2           slow
  eval_ro               refuse       reads        #2           slow
  evalsha               refuse       differs      #2           slow
  evalsha_ro            refuse       reads        #2           slow
  fcall                 refuse       differs      #2           slow
  fcall_ro              refuse       reads        #2           slow
  function              refuse       by-argument  -            by-argument
  script                refuse       by-argument  -            by-argument
  # the server
  acl                   refuse       by-argument  -
  bgrewriteaof          refuse       differs      -
  bgsave                refuse       differs      -
  cluster               refuse       by-argument  -
  command               local        reads        -
  commandlog            refuse       by-argument  -
  config                refuse       by-argument  -
  debug                 refuse       differs      ?            apart
  failover              refuse       differs      -
  info                  local        reads        -            by-argument
  respool               local        reads        -            own
  lastsave              refuse       reads        -
  latency               refuse       by-argument  -
  lolwut                read         reads        -
  memory                by-argument  by-argument  2
  module                refuse       by-argument  -            slow
  monitor               refuse       same         -            monitor
  psync                 refuse       differs      -            replicate
  replconf              refuse       differs      -            sticky
  replicaof             refuse       differs      -            by-argument
  role                  refuse       reads        -
  save                  refuse       differs      -            slow
  shutdown              refuse       differs      -            sticky
  slaveof               refuse       differs      -            by-argument
  slowlog               refuse       by-argument  -
  sync                  refuse       differs      -            replicate
  time                  local        reads        -
  wait                  refuse       reads        -            wait
  waitaof               refuse       reads        -            wait`;
