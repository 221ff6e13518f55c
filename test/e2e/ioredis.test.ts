/** ioredis through the sidecar, in its default RESP3 and in RESP2. */
import { Redis } from 'ioredis';
import { describeIoredis } from './ioredis-suite.js';

describeIoredis('ioredis in RESP3', Redis, { protocol: 3 });
describeIoredis('ioredis in RESP2', Redis, { protocol: 2 });
