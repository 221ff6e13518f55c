/** Every scripted case. */
import type { Scenario } from '../stage.js';
import { blockingScenarios } from './blocking.js';
import { clientScenarios } from './client.js';
import { protocolScenarios } from './protocol.js';
import { pubsubScenarios } from './pubsub.js';
import { serverScenarios } from './server.js';
import { sessionScenarios } from './session.js';
import { trackingScenarios } from './tracking.js';
import { transactionScenarios } from './transaction.js';

/** In the order in which they are run. */
export const SCENARIOS: readonly Scenario[] = [
  ...sessionScenarios,
  ...clientScenarios,
  ...transactionScenarios,
  ...pubsubScenarios,
  ...blockingScenarios,
  ...trackingScenarios,
  ...protocolScenarios,
  ...serverScenarios,
];
