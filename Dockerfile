# The page with the embedded model, without torch; see docs/hosting.md.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 spinealign
WORKDIR /home/spinealign/app
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY spinealign ./spinealign
RUN pip install --no-cache-dir --constraint constraints.txt ".[app]"

USER 1000
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
CMD ["spinealign", "app"]
