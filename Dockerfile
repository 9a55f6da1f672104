# Builds one image for every role, and one (target sqs) for the local SQS emulator.
FROM node:24.21.0-slim AS base
WORKDIR /app

# The version of package.json; test/integration/deploy/compose.test.ts compares them.
FROM base AS sqs
RUN --mount=type=cache,target=/root/.npm npm install --ignore-scripts fauxqs@2.4.1 && mkdir -p /data && chown node /data
USER node
# Its own CLI does not keep messages over a restart, and logs every request.
CMD ["node", "-e", "import('fauxqs').then((sqs) => sqs.startFauxqs({ dataDir: '/data', logger: false }))"]

FROM base AS dependencies
COPY package.json package-lock.json .npmrc ./
# No dependency needs its install script, and that of @scarf/scarf reports usage. Optional are TypeScript, which nothing runs,
# and a faster decoder for BullMQ.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --omit=optional --ignore-scripts
# With the development dependencies in package.json, npm would call them missing.
RUN npm pkg delete devDependencies && npm sbom --omit=optional --sbom-format=cyclonedx > sbom.cdx.json
# What Node does not read: types, maps, documents, sources, and builds for browsers that we do not serve.
RUN find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) \
    ! -iname 'licen[cs]e*' -exec rm {} + && rm -rf node_modules/zod/src node_modules/swagger-ui-dist/swagger-ui-es-bundle*

FROM base AS system
RUN mv /usr/local/bin/node /node && rm -rf /usr/local/* /opt/* /app && mkdir /usr/local/bin && mv /node /usr/local/bin/

# Layers for the system and Node without npm, for the dependencies, and for the code: most releases have new code only.
FROM scratch AS orders
COPY --from=system / /
# The port of the health routes, which the API serves at its own.
ENV NODE_ENV=production METRICS_PORT=9100 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /app
COPY --from=dependencies /app ./
COPY docs/runbook.md docs/runbook.md
COPY src src
# For other commands in a running container: orders status.
RUN ln -s /app/src/ops/orders.js /usr/local/bin/orders
LABEL org.opencontainers.image.title="Order pipeline" org.opencontainers.image.licenses=MIT sbom=/app/sbom.cdx.json
# The folder /archive is where docker-compose.yml puts its volume.
RUN mkdir node_modules/.cache /archive && chown node node_modules/.cache /archive
USER node
# A container cannot keep compiled code itself: its file system is read-only. With it a start takes half of the CPU. Node
# keeps it apart for each user.
RUN NODE_COMPILE_CACHE=node_modules/.cache/orders node --input-type=module --eval \
    "import { globSync } from 'node:fs'; for (const file of globSync('/app/src/**/*.ts')) await import(file)"
# Each check starts a Node, which takes 0.1 s of CPU. A start may take as long as on Kubernetes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
  CMD ["node", "-e", "Promise.any([process.env.METRICS_PORT, process.env.API_PORT || 8000].map(async (port) => { if (!(await fetch(`http://127.0.0.1:${port}/livez`)).ok) throw port })).catch(() => process.exit(1))"]
ENTRYPOINT ["node", "src/ops/orders.js"]
CMD ["--help"]
