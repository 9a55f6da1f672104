# Builds one image for every role, and one (target sqs) for the local SQS emulator.
FROM node:24.21.0-slim AS base
WORKDIR /app

# The version of package.json; test/integration/deploy/compose.test.ts compares them.
FROM base AS sqs
RUN npm install --ignore-scripts fauxqs@2.4.1 && npm cache clean --force && install -d -o node /data
USER node
# Its own CLI does not keep messages over a restart, and logs every request.
CMD ["node", "-e", "import('fauxqs').then((sqs) => sqs.startFauxqs({ dataDir: '/data', logger: false }))"]

FROM base AS orders
ENV NODE_ENV=production
COPY package.json package-lock.json .npmrc ./
# No dependency needs its install script, and that of @scarf/scarf reports usage.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY src src
# For other commands in a running container: orders status.
RUN ln -s /app/src/ops/orders.js /usr/local/bin/orders
USER node
ENTRYPOINT ["node", "src/ops/orders.js"]
CMD ["--help"]
