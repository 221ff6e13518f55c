/**
 * What the machine means for a sidecar with this configuration. Pure: `sidecar/surroundings` has looked. Each finding says
 * what will not work, and what to do about it.
 */
import type { Config } from '../config/config.js';
import type { JournalPlace, Place, Surroundings } from '../sidecar/surroundings.js';
import { finding, type Finding } from './finding.js';

/** Findings about this machine, and about what the configuration opens to others. */
export function judgeSurroundings(here: Surroundings, config: Config): Finding[] {
  return [
    ...here.listen.flatMap((place) => placeFindings(place, 'listen')),
    ...(here.admin === null ? [] : placeFindings(here.admin, 'admin')),
    ...openness(here, config),
    ...(here.journal === null ? memoryJournal(config) : journalFindings(here.journal, config)),
    ...descriptors(here, config),
  ];
}

function placeFindings({ address, problem }: Place, option: 'listen' | 'admin'): Finding[] {
  if (problem === null) return [];
  if (/already/.test(problem))
    return [
      finding(
        'warning',
        'address-in-use',
        `Somebody listens on ${address} already: a sidecar that is running, or another program.`,
        `If it is no sidecar that is to be replaced: choose another address for ${option}.`,
      ),
    ];
  return [
    finding(
      'error',
      'address',
      `${capital(problem)}`,
      `Choose an address of this machine for ${option}.`,
    ),
  ];
}

function openness({ listen, admin }: Surroundings, config: Config): Finding[] {
  const found: Finding[] = [];
  const open = listen.find(({ isLocal }) => !isLocal);
  if (open !== undefined && config.tls === null)
    found.push(
      finding(
        'warning',
        'plain-text',
        `Other machines can connect to ${open.address}, and what they say${config.requirepass === null ? '' : ', the password too,'} can be read on the way.`,
        'Give tls-cert and tls-key, or listen on loopback or a unix socket.',
      ),
    );
  if (open !== undefined && config.requirepass === null && (config.tls?.ca ?? null) === null)
    found.push(
      finding(
        'warning',
        'open',
        `Whoever reaches ${open.address} is let in, with the sidecar's rights at the upstream.`,
        'Give requirepass-file, or ask for client certificates with tls-ca.',
      ),
    );
  if (admin !== null && !admin.isLocal)
    found.push(
      finding(
        'warning',
        'admin-open',
        `Whoever reaches ${admin.address} reads metrics and status: the upstream's address, names of commands, how much traffic there is. Nothing can be changed there.`,
        'Let a network policy or a firewall admit Prometheus and probes only, or say admin 127.0.0.1:9380.',
      ),
    );
  return found;
}

function memoryJournal({ journal, upstream, outageWrites }: Config): Finding[] {
  if (journal.directory !== null || upstream.kind === 'embedded' || outageWrites === 'refuse')
    return [];
  return [
    finding(
      'warning',
      'journal-in-memory',
      'The journal is in memory: writes that were accepted in an outage are lost when the sidecar ends before the upstream is back.',
      'Give journal-dir a directory on a disk.',
    ),
  ];
}

const FILE_SYSTEMS = {
  memory: 'is in memory (tmpfs): it survives a restart of the sidecar, and not one of the machine',
  network:
    'is on a network file system: there the lock does not keep a second sidecar on another machine out',
  container: "is in a container's own layer: it is gone when the container is removed",
} as const;

function journalFindings(place: JournalPlace, { journal, outageWrites }: Config): Finding[] {
  const { directory, problem, freeBytes, fileSystem, isLocked } = place;
  if (problem !== null)
    return [
      finding(
        'error',
        'journal-not-writable',
        `The journal cannot be in ${directory}: ${problem}.`,
        'Let this user write there, or choose another journal-dir.',
      ),
    ];
  const found: Finding[] = [];
  if (isLocked)
    found.push(
      finding(
        'note',
        'journal-in-use',
        `A sidecar is running on the journal in ${directory}; a second one would not start.`,
        'Give each sidecar its own journal-dir.',
      ),
    );
  if (freeBytes !== null && freeBytes < journal.maxBytes)
    found.push(
      finding(
        'warning',
        'journal-space',
        `The disk of ${directory} has ${megabytes(freeBytes)} left, and the journal may grow to ${megabytes(journal.maxBytes)}: in a long outage writes are refused before.`,
        'Make room, or lower journal-max-bytes so that it says what is true.',
      ),
    );
  if (fileSystem !== null && outageWrites === 'buffer')
    found.push(
      finding(
        'warning',
        `journal-on-${fileSystem}`,
        `${capital(directory)} ${FILE_SYSTEMS[fileSystem]}.`,
        'Mount a volume there, or choose a journal-dir on a disk.',
      ),
    );
  return found;
}

/** Files, lanes, probes and HTTP. */
const OTHER_DESCRIPTORS = 200;

function descriptors({ maxDescriptors }: Surroundings, config: Config): Finding[] {
  const isEmbedded = config.upstream.kind === 'embedded';
  const needed = config.maxClients + (isEmbedded ? 0 : config.maxPinned) + OTHER_DESCRIPTORS;
  if (maxDescriptors === null || maxDescriptors >= needed) return [];
  return [
    finding(
      'warning',
      'descriptors',
      `This process may have ${maxDescriptors} descriptors open (ulimit -Hn), and max-clients and max-pinned allow for ${needed}: ` +
        'before these are reached new connections fail.',
      'Raise the limit (LimitNOFILE in systemd), or lower max-clients and max-pinned.',
    ),
  ];
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MB`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
