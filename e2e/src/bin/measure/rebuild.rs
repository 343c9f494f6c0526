//! Building the examples' images, first and after one source line changed, beside a careful Dockerfile for each.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use slipway_e2e::{Deployed, Platform, example};

use crate::deploy::{BY_HAND, change, docker, nonce};
use crate::sample::{Sample, ratio};

const RUNS: usize = 5;

/// An example, what is changed in it, and what a careful person would write for it.
struct Case {
    example: &'static str,
    /// A file whose change makes the dependencies be installed again: file, text, and what goes before it.
    manifest: Option<(&'static str, &'static str, &'static str)>,
    /// A file with a word in it that may be any other.
    source: (&'static str, &'static str),
    dockerfile: &'static str,
}

const CASES: &[Case] = &[
    Case {
        example: "node-express",
        manifest: Some(("package.json", "\"private\"", "\"description\": \"@\",\n  ")),
        source: ("server.js", "Hello "),
        dockerfile: BY_HAND,
    },
    Case {
        example: "python-flask",
        manifest: Some(("requirements.txt", "# What the app", "# @\n")),
        source: ("app.py", "Hello "),
        dockerfile: "\
FROM python:3.13-slim AS install
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip /venv/bin/pip install -r requirements.txt

FROM python:3.13-slim
WORKDIR /app
COPY --from=install /venv /venv
COPY --chown=1000:1000 . .
USER 1000:1000
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
CMD [\"gunicorn\", \"--bind\", \"0.0.0.0:8000\", \"app:app\"]
",
    },
    Case {
        example: "php-plain",
        manifest: None,
        source: ("public/index.php", "Hello "),
        dockerfile: "\
FROM php:8.2-apache
RUN a2enmod rewrite && sed -i 's!/var/www/html!/app/public!' /etc/apache2/sites-available/000-default.conf
WORKDIR /app
COPY . .
",
    },
];

pub async fn measure() -> Result<()> {
    println!("\n## Building an image: `slipway deploy`'s build step beside `docker build` of a careful Dockerfile");
    let platform = Platform::start().await?;
    for case in CASES {
        case.measure(&platform).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Times {
    ours: Vec<Duration>,
    by_hand: Vec<Duration>,
}

impl Case {
    async fn measure(&self, platform: &Platform) -> Result<()> {
        let ours = example(self.example)?;
        let theirs = example(self.example)?;
        fs::write(theirs.path().join("Dockerfile"), self.dockerfile)?;
        let (mut first, mut edit) = (Times::default(), Times::default());
        let mut sizes = (0, 0);
        for run in 0..RUNS {
            if let Some((file, before, insert)) = self.manifest {
                for (directory, whose) in [(ours.path(), "ours"), (theirs.path(), "theirs")] {
                    let text = insert.replace('@', &format!("{whose} {} {run}", nonce()));
                    change(directory, file, before, &format!("{text}{before}"))?;
                }
                first.take(platform, ours.path(), theirs.path()).await?;
            }
            let (file, word) = self.source;
            for directory in [ours.path(), theirs.path()] {
                change(directory, file, word, &format!("{word}{run} "))?;
            }
            sizes = edit.take(platform, ours.path(), theirs.path()).await?;
        }
        println!("\n### {}", self.example);
        let (edit_ours, edit_by_hand) = edit.report("one source line changed");
        if self.manifest.is_some() {
            let (first_ours, first_by_hand) = first.report("dependencies installed again");
            println!("rebuild / first build: ours {:.2}, by hand {:.2}", ratio(edit_ours, first_ours), ratio(edit_by_hand, first_by_hand));
        }
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!("image: ours {:.1} MB, by hand {:.1} MB", megabytes(sizes.0), megabytes(sizes.1));
        Ok(())
    }
}

impl Times {
    /// The sizes of both images.
    async fn take(&mut self, platform: &Platform, ours: &Path, theirs: &Path) -> Result<(u64, u64)> {
        platform.settle(Duration::from_secs(60)).await?;
        let deployed = platform.deploy(ours, "rebuilt").await?;
        ensure!(deployed.success, "{}\n{:#}", deployed.progress, deployed.report);
        self.ours.push(build_step(&deployed)?);
        let begin = Instant::now();
        docker(&["build", "--quiet", "--tag", "slipway-measure", &theirs.display().to_string()])?;
        self.by_hand.push(begin.elapsed());
        let by_hand = docker(&["image", "inspect", "--format", "{{.Size}}", "slipway-measure"])?.trim().parse()?;
        Ok((image_bytes(platform, &deployed).await?, by_hand))
    }

    fn report(self, what: &str) -> (Duration, Duration) {
        let [ours, by_hand] = [self.ours, self.by_hand].map(Sample::new);
        println!("{what}: ours {}", ours.describe());
        println!("{what}: by hand {}", by_hand.describe());
        println!("{what}: ratio of medians {:.2}", ratio(ours.median(), by_hand.median()));
        (ours.median(), by_hand.median())
    }
}

fn build_step(deployed: &Deployed) -> Result<Duration> {
    let steps = deployed.report["steps"].as_array().context("a deployment has steps")?;
    let step = steps.iter().find(|step| step["kind"] == "BUILD").context("an image is built")?;
    let time = |name: &str| -> Result<DateTime<Utc>> { Ok(step[name].as_str().context("a step that ended has times")?.parse()?) };
    Ok((time("finishedAt")? - time("startedAt")?).to_std()?)
}

async fn image_bytes(platform: &Platform, deployed: &Deployed) -> Result<u64> {
    let query = "query($id: ID!) { deployment(id: $id) { build { imageBytes } } }";
    let answer: Value = platform.query(query, json!({ "id": deployed.report["id"] })).await?;
    let bytes = answer.pointer("/deployment/build/imageBytes").and_then(Value::as_str);
    Ok(bytes.with_context(|| format!("a build has an image: {answer}"))?.parse()?)
}
