/**
 * What `kubectl kustomize` makes of a directory of deploy/kubernetes, far enough for the tests to look at it and to run
 * it: resources, components, and strategic merge patches with a target. It throws on everything else, so that what is
 * used there and not known here is noticed.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

/** A Kubernetes object as its YAML says. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

interface Target {
  readonly kind?: string;
  readonly name?: string;
  readonly labelSelector?: string;
}

interface Kustomization {
  readonly apiVersion: string;
  readonly kind: 'Kustomization' | 'Component';
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly { readonly path: string; readonly target: Target }[];
}

const KNOWN = ['apiVersion', 'kind', 'resources', 'components', 'patches'];

/** The manifests of a kustomization's directory, in the order of its resources. */
export function kustomize(directory: string): Manifest[] {
  return apply(directory, []);
}

/** All documents of a YAML file. */
export function readManifests(path: string): Manifest[] {
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document) => {
    assert.deepEqual(document.errors, [], path);
    return document.toJS() as Manifest;
  });
}

function apply(directory: string, before: readonly Manifest[]): Manifest[] {
  const kustomization = readKustomization(directory);
  const manifests = [...before];
  for (const resource of kustomization.resources ?? []) {
    const path = join(directory, resource);
    const isDirectory = existsSync(join(path, 'kustomization.yaml'));
    manifests.push(...(isDirectory ? kustomize(path) : readManifests(path)));
  }
  let result = manifests;
  for (const component of kustomization.components ?? [])
    result = apply(join(directory, component), result);
  for (const { path, target } of kustomization.patches ?? []) {
    const [patch, ...others] = readManifests(join(directory, path));
    assert.ok(patch !== undefined && others.length === 0, `${path} is one patch`);
    assert.ok(
      result.some((one) => isTarget(one, target)) || kustomization.kind === 'Component',
      `${path} finds nothing to patch`,
    );
    result = result.map((one) => (isTarget(one, target) ? patched(one, patch) : one));
  }
  return result;
}

function readKustomization(directory: string): Kustomization {
  const text = readFileSync(join(directory, 'kustomization.yaml'), 'utf8');
  const kustomization = parse(text) as Kustomization;
  for (const field of Object.keys(kustomization))
    assert.ok(
      KNOWN.includes(field),
      `${directory}: ${field} is not known to test/helpers/kustomize`,
    );
  return kustomization;
}

/** Kind and name are anchored regular expressions, as kustomize takes them; of selectors only `label=value`. */
function isTarget({ kind, metadata }: Manifest, target: Target): boolean {
  const [label = '', value] = target.labelSelector?.split('=') ?? [];
  return (
    new RegExp(`^(${target.kind ?? '.*'})$`).test(kind) &&
    new RegExp(`^(${target.name ?? '.*'})$`).test(metadata.name) &&
    (target.labelSelector === undefined || metadata.labels?.[label] === value)
  );
}

/** The target decides what is patched: kind and name of the patch itself mean nothing. */
function patched(
  manifest: Manifest,
  { kind: _kind, metadata: _name, ...patch }: Manifest,
): Manifest {
  const { apiVersion, kind } = manifest;
  return { ...(merge(manifest, patch) as Manifest), apiVersion, kind };
}

function merge(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) return mergeLists(base, patch);
  if (!isRecord(base) || !isRecord(patch)) return patch;
  const merged = { ...base };
  for (const [key, value] of Object.entries(patch)) merged[key] = merge(base[key], value);
  return merged;
}

/** Kubernetes' `patchMergeKey` of the lists that occur here. */
const MERGE_KEYS = ['mountPath', 'containerPort', 'name'];

function mergeLists(base: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const all = [...base, ...patch];
  const key = MERGE_KEYS.find((name) => all.every((one) => isRecord(one) && name in one));
  if (key === undefined) return [...patch];
  const keyOf = (one: unknown): unknown => (one as Record<string, unknown>)[key];
  const merged = base.map((one) => {
    const change = patch.find((other) => keyOf(other) === keyOf(one));
    return change === undefined ? one : merge(one, change);
  });
  const isNew = (one: unknown): boolean => !base.some((other) => keyOf(other) === keyOf(one));
  return [...merged, ...patch.filter(isNew)];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
