// Gets the clients that the tests with Kafka compare by (see test/support/tools.ts), ahead of them;
// `npm test` does the same by itself.
import { getTestClients } from '../test/support/tools.ts';

await getTestClients();
