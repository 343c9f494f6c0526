//! Composition by assets: the chosen buildpack keeps the base, the processes and the image, and takes directories that another
//! buildpack's steps make, such as the styles and scripts of a PHP application.
//!
//! An asset is a directory below the application's root. What is made in `a` makes `a/b` too, and `.` makes all.

use slipway_buildpack_wit::{Asset, Base, Detection, Fragment, Input, Layer, Step};

use crate::{check::needs, startable::says_so};

/// Where every shipped buildpack keeps the application, in its steps and in its image.
const APP: &str = "/app";

/// Another buildpack's answers on the same tree.
#[derive(Debug, Clone)]
pub struct Contribution {
    pub buildpack: String,
    pub detection: Detection,
    pub fragment: Fragment,
}

/// Which of the wanted assets a buildpack makes.
pub fn made_by<'a>(other: &'a Detection, wanted: &'a [Asset]) -> impl Iterator<Item = &'a Asset> {
    wanted.iter().filter(|asset| other.provides.iter().any(|provided| holds(provided, &asset.name)))
}

fn holds(provided: &str, wanted: &str) -> bool {
    provided == "." || wanted == provided || wanted.strip_prefix(provided).is_some_and(|rest| rest.starts_with('/'))
}

/// Adds the steps that make the assets, with their tools and caches. Ids get the contributor's as a prefix. What the chosen
/// buildpack provides is laid into those steps that see the whole source. Where it provides nothing, the assets are there when
/// its own steps build the application, as for collecting static files; else they are laid over it in the image.
pub fn compose(fragment: &mut Fragment, detection: &Detection, contribution: Contribution) {
    let Contribution { buildpack, detection: other, fragment: contributed } = contribution;
    let Some(image) = &mut fragment.image else { return };
    let Some(made_in) = contributed.image.as_ref().and_then(|image| code_step(&image.layers)) else { return };
    let own = code_step(&image.layers).map(str::to_owned);
    let provided: Option<Input> = own.clone().filter(|_| !detection.provides.is_empty()).map(|origin| Input {
        origin,
        include: detection.provides.iter().map(|name| in_app(name)).collect(),
        exclude: vec![],
        dest: APP.into(),
    });
    let prefixed = |id: &str| format!("{buildpack}-{id}");
    let mut builder = fragment.steps.iter_mut().find(|step| provided.is_none() && Some(&step.id) == own.as_ref() && sees_source(step));
    for asset in made_by(&other, &detection.requires) {
        let path = in_app(&asset.name);
        match &mut builder {
            Some(step) => {
                let dest = path.rsplit_once('/').map_or("", |(above, _)| above);
                let dest = if dest.is_empty() { "/" } else { dest }.to_owned();
                step.inputs.push(Input { origin: prefixed(made_in), include: vec![path], exclude: vec![], dest });
            }
            None => {
                image.layers.push(Layer { origin: prefixed(made_in), path: path.clone(), dest: path, include: vec![], exclude: vec![] })
            }
        }
    }
    let wanted = with_what_it_needs(&contributed.steps, made_in);
    for step in contributed.steps.iter().filter(|step| wanted.contains(&step.id.as_str())) {
        fragment.steps.push(renamed(step.clone(), &prefixed, provided.as_ref()));
    }
    let caches = contributed.caches.into_iter().map(|mut cache| {
        cache.id = prefixed(&cache.id);
        cache
    });
    fragment.caches.extend(caches);
    let new_tools = contributed.tools.into_iter().filter(|tool| fragment.tools.iter().all(|known| known.name != tool.name));
    fragment.tools.extend(new_tools.collect::<Vec<_>>());
    // How the contributor would be started is of no concern to anyone.
    fragment.diagnostics.extend(contributed.diagnostics.into_iter().filter(|diagnostic| !says_so(diagnostic)));
}

/// Where a directory below the application's root is, in steps and in the image.
fn in_app(name: &str) -> String {
    if name == "." { APP.into() } else { format!("{APP}/{name}") }
}

/// The step from which an image takes the application; `None` where it takes the source as it is.
fn code_step(layers: &[Layer]) -> Option<&str> {
    let layer = layers.iter().rev().find(|layer| layer.dest == APP)?;
    Some(layer.origin.as_str()).filter(|origin| *origin != "source")
}

fn sees_source(step: &Step) -> bool {
    step.inputs.iter().any(|input| input.origin == "source" && input.include.is_empty())
}

fn with_what_it_needs<'a>(steps: &'a [Step], id: &'a str) -> Vec<&'a str> {
    let mut wanted = vec![id];
    let mut next = 0;
    while let Some(id) = wanted.get(next).copied() {
        next += 1;
        let more: Vec<&str> = steps.iter().filter(|step| step.id == id).flat_map(needs).collect();
        for id in more {
            if !wanted.contains(&id) {
                wanted.push(id);
            }
        }
    }
    wanted
}

fn renamed(mut step: Step, prefixed: &impl Fn(&str) -> String, provided: Option<&Input>) -> Step {
    step.id = prefixed(&step.id);
    if let Base::Step(id) = &mut step.base {
        *id = prefixed(id);
    }
    let sees_all = sees_source(&step);
    for input in step.inputs.iter_mut().filter(|input| input.origin != "source") {
        input.origin = prefixed(&input.origin);
    }
    step.inputs.extend(provided.filter(|_| sees_all).cloned());
    for cache in &mut step.caches {
        *cache = prefixed(cache);
    }
    step
}

#[cfg(test)]
mod tests {
    use slipway_buildpack_wit::{Cache, Command, Image, Process, ProcessKind, Run, Tool};

    use super::*;
    use crate::check_plan;

    fn step(id: &str, base: Base, include: &[&str]) -> Step {
        Step {
            id: id.into(),
            base,
            inputs: vec![Input {
                origin: "source".into(),
                include: include.iter().map(|path| (*path).to_owned()).collect(),
                exclude: vec![],
                dest: APP.into(),
            }],
            files: vec![],
            run: vec![Run { command: Command::Shell("make".into()), cwd: APP.into(), env: vec![], network: true }],
            caches: vec!["downloads".into()],
            secrets: vec![],
            packages: vec![],
        }
    }

    /// Two steps of one tool, and an image of the second.
    fn fragment(tool: &str) -> Fragment {
        let base = Base::Tool(tool.into());
        Fragment {
            tools: vec![Tool { name: tool.into(), constraint: "1".into(), source: String::new(), is_default: true }],
            caches: vec![Cache { id: "downloads".into(), path: "/root/.cache".into(), shared: true }],
            steps: vec![
                step("install", base.clone(), &["manifest"]),
                step("build", Base::Step("install".into()), &[]),
                step("prune", Base::Step("build".into()), &["manifest"]),
            ],
            image: Some(Image {
                base,
                packages: vec![],
                layers: vec![Layer { origin: "build".into(), path: APP.into(), dest: APP.into(), include: vec![], exclude: vec![] }],
                files: vec![],
                env: vec![],
                workdir: APP.into(),
                user: "1000:1000".into(),
            }),
            processes: vec![Process {
                name: "web".into(),
                kind: ProcessKind::Web,
                command: Command::Shell("serve".into()),
                env: vec![],
                is_default: true,
            }],
            ..Fragment::default()
        }
    }

    fn detection(provides: &[&str], requires: &[&str]) -> Detection {
        Detection {
            app_root: ".".into(),
            score: 90,
            framework: None,
            package_manager: None,
            reasons: vec![],
            provides: provides.iter().map(|name| (*name).to_owned()).collect(),
            requires: requires.iter().map(|name| Asset { name: (*name).to_owned(), optional: true }).collect(),
        }
    }

    fn composed() -> Fragment {
        let mut winner = fragment("php");
        let contribution = Contribution { buildpack: "node".into(), detection: detection(&["."], &[]), fragment: fragment("node") };
        compose(&mut winner, &detection(&["vendor"], &["public/build"]), contribution);
        winner
    }

    #[test]
    fn the_image_takes_the_asset_from_the_other_buildpacks_steps() {
        let plan = composed();
        check_plan(&plan).unwrap();
        let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["install", "build", "prune", "node-install", "node-build"], "what makes nothing that is wanted is left out");
        assert_eq!(plan.steps[4].base, Base::Step("node-install".into()));
        let layers: Vec<_> = plan.image.iter().flat_map(|image| &image.layers).map(|l| (l.origin.as_str(), l.path.as_str())).collect();
        assert_eq!(layers, [("build", "/app"), ("node-build", "/app/public/build")]);
        assert_eq!(plan.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["php", "node"]);
        assert_eq!((plan.caches[1].id.as_str(), plan.steps[4].caches[0].as_str()), ("node-downloads", "node-downloads"));
        assert_eq!(plan.processes.len(), 1, "the other's processes are not the application's");
    }

    #[test]
    fn what_the_chosen_buildpack_provides_is_there_when_assets_are_built() {
        let plan = composed();
        let seen = |index: usize| plan.steps[index].inputs.iter().map(|input| input.origin.as_str()).collect::<Vec<_>>();
        assert_eq!(seen(4), ["source", "build"]);
        assert_eq!(plan.steps[4].inputs[1].include, ["/app/vendor"]);
        assert_eq!(seen(3), ["source"], "an install sees the manifests alone");
    }

    #[test]
    fn assets_are_there_when_a_buildpack_that_provides_nothing_builds_the_application() {
        let mut winner = fragment("python");
        let contribution = Contribution { buildpack: "node".into(), detection: detection(&["."], &[]), fragment: fragment("node") };
        compose(&mut winner, &detection(&[], &[".", "web/dist"]), contribution);
        check_plan(&winner).unwrap();
        let inputs: Vec<_> = winner.steps[1].inputs.iter().map(|input| (input.origin.as_str(), input.dest.as_str())).collect();
        assert_eq!(inputs, [("source", "/app"), ("node-build", "/"), ("node-build", "/app/web")]);
        assert_eq!(winner.steps[1].inputs[1].include, ["/app"]);
        assert_eq!(winner.image.unwrap().layers.len(), 1);
    }

    #[test]
    fn assets_are_laid_over_a_source_that_is_taken_as_it_is() {
        let mut winner = fragment("python");
        winner.image.as_mut().unwrap().layers[0] =
            Layer { origin: "source".into(), path: ".".into(), dest: APP.into(), include: vec![], exclude: vec![] };
        let contribution = Contribution { buildpack: "node".into(), detection: detection(&["."], &[]), fragment: fragment("node") };
        compose(&mut winner, &detection(&[], &["."]), contribution);
        check_plan(&winner).unwrap();
        let layers: Vec<_> = winner.image.iter().flat_map(|image| &image.layers).map(|l| (l.origin.as_str(), l.dest.as_str())).collect();
        assert_eq!(layers, [("source", "/app"), ("node-build", "/app")]);
    }

    #[test]
    fn a_directory_is_made_by_whoever_makes_one_above_it() {
        let wanted = detection(&[], &["public/build", "public2"]).requires;
        let made = |provides: &[&str]| made_by(&detection(provides, &[]), &wanted).map(|asset| asset.name.clone()).collect::<Vec<_>>();
        assert_eq!(made(&["public"]), ["public/build"]);
        assert_eq!(made(&["."]), ["public/build", "public2"]);
        assert!(made(&["dist"]).is_empty());
    }
}
