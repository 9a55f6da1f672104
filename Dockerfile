# One image for every role of the system, and one (target sqs) for the local stand-in for SQS.
FROM node:24.21.0-slim AS base
WORKDIR /app

# In the version of package.json; test/integration/deploy/compose.test.ts holds them together.
FROM base AS sqs
RUN npm install --ignore-scripts fauxqs@2.4.1 && npm cache clean --force && install -d -o node /data
USER node
# Its own CLI neither keeps messages over a restart nor can it be told not to log every request.
CMD ["node", "-e", "import('fauxqs').then((sqs) => sqs.startFauxqs({ dataDir: '/data', logger: false }))"]

FROM base AS orders
ENV NODE_ENV=production
COPY package.json package-lock.json .npmrc ./
# No dependency needs its install script; @scarf/scarf would phone home with its own.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY src src
# For whoever runs another command in a container that is there: orders status.
RUN ln -s /app/src/ops/orders.js /usr/local/bin/orders
USER node
ENTRYPOINT ["node", "src/ops/orders.js"]
CMD ["--help"]
