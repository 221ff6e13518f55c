# syntax=docker/dockerfile:1
#
# The image of a Respool sidecar: the compiled program, its production packages, nothing else.
# test/integration/container-image.test.ts stages these steps by hand and runs the result.

# The current Node LTS line.
ARG NODE_IMAGE=node:26-slim

# ---- build: the compiler and all packages; none of it reaches the image ----
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && rm dist/.tsbuildinfo

# ---- packages: what the program needs when it runs ----
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

# ---- the image ----
FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="respool" \
      org.opencontainers.image.description="A Redis sidecar that forwards faithfully and keeps answering when Redis is away" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./

# A new volume takes the owner of the directory it covers. 1000 is the image's own user "node",
# written as a number because Kubernetes' runAsNonRoot cannot look names up.
RUN mkdir -p /var/lib/respool && chown 1000:1000 /var/lib/respool
USER 1000:1000
VOLUME /var/lib/respool

# Configuration is by environment (RESPOOL_UPSTREAM, RESPOOL_LISTEN, ...) or by arguments.
#
# The defaults listen on the loopback interface, which is right for a sidecar: containers of a pod,
# and containers run with --network container:<app>, share it, and nobody else can reach a proxy
# that holds Redis' credentials. Where Respool runs apart from its application, say
# RESPOOL_LISTEN=0.0.0.0:6380 and set a password or client certificates.
#
# The journal is all that is written (but for RESPOOL_EMBEDDED_SNAPSHOT, where that is set), so the root
# file system may be read-only. It belongs on a volume of this sidecar's own: what it holds when the
# container ends is replayed by the next one.
ENV NODE_ENV=production RESPOOL_JOURNAL_DIR=/var/lib/respool
EXPOSE 6380 9380

# /livez says whether the process works, whatever its upstream does: a Redis outage is what this
# program is for and no reason to restart it. There is no curl in the image, and none is needed.
# Where RESPOOL_ADMIN is "off" there is nothing to ask: run with --no-healthcheck. An address that is in a configuration
# file has to be said in RESPOOL_ADMIN as well. (`respool status` would know, at five times the cost.)
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "require('node:http').get('http://' + (process.env.RESPOOL_ADMIN || '127.0.0.1:9380') + '/livez', (reply) => process.exit(reply.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]

# Node itself is process 1 and receives the signal: SIGTERM drains, then exits 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/main.js"]
