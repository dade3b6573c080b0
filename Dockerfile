# pointsman serve in a small image: docker build -t pointsman .
# The Python is the one that the tests run on. The digest names one image for good, whatever the tag means later:
# docs/supply-chain.md says where it is from, and how to take a newer one.
FROM python:3.11.16-slim@sha256:da047cb8f9d1d98e5c070f5300ba9f7274e33b8fc0e5be5ed88740aed1b95ba9 AS build
COPY requirements-image.lock /src/
RUN python -m venv /opt/pointsman \
 && /opt/pointsman/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r /src/requirements-image.lock

FROM python:3.11.16-slim@sha256:da047cb8f9d1d98e5c070f5300ba9f7274e33b8fc0e5be5ed88740aed1b95ba9
COPY --from=build /opt/pointsman /opt/pointsman
COPY bot /opt/app/bot
ENV PATH=/opt/pointsman/bin:$PATH PYTHONPATH=/opt/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PORT=8080 ADMIN_PORT=8081 LOG_FORMAT=json DATABASE_URL=sqlite:////data/pointsman.db
# Nobody's files, but for the deliveries.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin pointsman \
 && install --directory --owner=pointsman --mode=0700 /data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 8081
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['ADMIN_PORT']}/readyz\", timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "bot"]
CMD ["serve"]
