"""Every setting of the chain as frozen dataclasses, one per pipeline stage.

`command_line.flags` makes a flag of every field: its name (unless `Flag` says another), its type, its bounds,
its default, and its line under Attributes as the help. So a new setting is a new field with its line. Library
code sees nothing else; all values are plain, so that they can be pickled to workers and written to JSON.
"""

from __future__ import annotations

import dataclasses
import posixpath
from typing import Annotated, Literal


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The least and the greatest value of a setting; None: there is none."""

    least: float | None
    most: float | None = None


@dataclasses.dataclass(frozen=True)
class Flag:
    """The name of a setting's flag, where its own would be ambiguous among all settings.

    Attributes:
        name: of the flag.
        repeated: whether a list is given by repeating the flag, as its items may hold commas.
    """

    name: str
    repeated: bool = False


OutputKind = Literal["softmax", "softmax_logits", "sigmoid", "sigmoid_logits"]
"""What a classifier's outputs are, see `tf_explainer.scores`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """Which images, which classes, and which of them are held out.

    Attributes:
        dataset: `folder`, `animal_part`, `creatures`, or a data set of tensorflow-datasets, such as
            cub200_parts.
        data_dir: where the data lies; for `folder` also a pattern (photos/*/*.jpg) or gs://.
        annotations: file with boxes and landmarks for the images of a `folder`: CSV or COCO's keypoint JSON;
            docs/datasets.md tells of both.
        split: split of a tensorflow-datasets data set.
        categories: classes to keep, by name or synset, comma-separated; empty keeps all. Their order is the
            data set's own, whatever the order here.
        negatives: whether images of no category take part (`animal_part`, `creatures`).
        negative_class: the class that stands for 'no object'; it gets no part.
        num_images: images that `creatures` draws.
        dataset_seed: seed of `creatures`.
        folds: folds of the images, which a hash of their id divides.
        held_out_fold: the fold training never sees.
    """

    dataset: str
    data_dir: str | None = None
    annotations: str | None = None
    split: str = "train"
    categories: tuple[str, ...] = ()
    negatives: bool = True
    negative_class: str = "negative"
    num_images: Annotated[int, Bounds(1)] = 600
    dataset_seed: Annotated[int, Bounds(0)] = 0
    folds: Annotated[int, Bounds(2)] = 10
    held_out_fold: Annotated[int, Bounds(0)] = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerConfig:
    """Which pre-trained network is explained, and at which layers.

    Attributes:
        performer: a .keras or HDF5 file, or a classifier of KerasHub: a preset's name, a hf:// or kaggle://
            handle, or a preset's folder; default: WORKDIR/performer.keras.
        backbone: a keras.applications model: vgg16, ..., or alexnet, vgg_m, vgg_s, local_resnet.
        backbone_weights: `imagenet`, `none` (random), or a weights file of the same architecture; for
            alexnet, vgg_m and vgg_s the file that MatConvNet publishes (imagenet-vgg-m.mat).
        backbone_alpha: width multiplier of a MobileNet or local_resnet; default: its own.
        image_size: side of the performer's input, pixels.
        preprocessing: `keras.applications` module whose preprocess_input a --performer file expects; default:
            none.
        performer_modules: Python modules that register classes which a --performer file uses.
        trust_performer_code: run code in a --performer file, such as Lambda layers; it can do whatever you
            can.
        outputs: what the performer's outputs are: probabilities (softmax, sigmoid) or what these are taken
            of; auto: its last activation tells.
        class_names: names of the performer's outputs, in their order: comma-separated, a file with a name a
            line, or imagenet; empty: those of the training, else the folders of --data_dir, sorted.
        target_layer: the layer whose feature map is explained; empty: found by the rule in
            docs/performers.md.
        distilled_layers: higher layers that the explainer gives back, lowest first; empty: found by the same
            rule.
    """

    performer: str | None = None
    backbone: str = "vgg16"
    backbone_weights: str = "imagenet"
    backbone_alpha: Annotated[float | None, Bounds(0)] = None
    image_size: Annotated[int, Bounds(8)] = 224
    preprocessing: str | None = None
    performer_modules: tuple[str, ...] = ()
    trust_performer_code: bool = False
    outputs: Literal["auto", "softmax", "softmax_logits", "sigmoid", "sigmoid_logits"] = "auto"
    class_names: tuple[str, ...] = ()
    target_layer: str = ""
    distilled_layers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerTrainingConfig:
    """How a head (and, if asked, the backbone) is trained for the task at hand.

    Attributes:
        head_pooling: what stands between the backbone and the head's first layer; auto: flatten for VGG, else
            average.
        head_widths: widths of fc1, fc2, ...
        head_dropout: dropout rate behind each hidden layer.
        train_backbone: whether the backbone is trained as well.
        epochs: passes over the images.
        learning_rate: Adam's step.
        batch_size: images a step.
        seed: seed of initialisation, shuffling and dropout.
    """

    head_pooling: Literal["auto", "flatten", "average"] = "auto"
    head_widths: tuple[int, ...] = (512, 512)
    head_dropout: Annotated[float, Bounds(0, 0.99)] = 0.5
    train_backbone: bool = False
    epochs: Annotated[int, Bounds(1), Flag("performer_epochs")] = 10
    learning_rate: Annotated[float, Bounds(0), Flag("performer_learning_rate")] = 1e-4
    batch_size: Annotated[int, Bounds(1), Flag("performer_batch_size")] = 32
    seed: Annotated[int, Bounds(0)] = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """How features are computed and stored.

    Attributes:
        num_shards: feature files; the same images always land in the same one. 0: as many as the features'
            directory has, else one for each 1000 images, at least 16.
        batch_size: images the performer sees at once.
        encoding: how features are stored: plain, in GZIP files, or the values that are not 0 with their
            places.
        jpeg_quality: quality of stored crops.
        views: what is stored of each image besides its crop, comma-separated: flip (mirrored), shift (its
            window moved at random), crop (a smaller window at random).
        views_seed: seed of the random views.
        max_dead_letters: share of unreadable images above which extraction fails.
        retry_dead_letters: try images again that could not be used: their shards are computed anew, all
            others stay.
        accelerator: GPU of the workers of the extraction step on Dataflow, such as nvidia-tesla-t4; none
            unless named.
        worker_min_ram: memory that workers of the extraction step must have on Dataflow, such as 16GB.
        overwrite: replace results that another configuration left.
    """

    num_shards: Annotated[int, Bounds(0)] = 0
    batch_size: Annotated[int, Bounds(1), Flag("extraction_batch_size")] = 32
    encoding: Literal["float16", "gzip", "sparse"] = "sparse"
    jpeg_quality: Annotated[int, Bounds(1, 100)] = 90
    views: tuple[str, ...] = ()
    views_seed: Annotated[int, Bounds(0)] = 0
    max_dead_letters: Annotated[float, Bounds(0, 1)] = 0.05
    retry_dead_letters: bool = False
    accelerator: str = ""
    worker_min_ram: str = ""
    overwrite: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class DryRunConfig:
    """Whether features are extracted or only the effort is estimated, and at which prices.

    Prices are Dataflow's list prices for batch jobs in us-central1, in USD, as known in 2025. Nothing looks
    them up: https://cloud.google.com/dataflow/pricing has those of today.

    Attributes:
        dry_run: extract nothing: measure a sample, and print the number of images, bytes, time, and cost on
            Dataflow.
        dry_run_images: images that a dry run measures.
        price_vcpu_hour: USD an hour for a virtual CPU; the default: list price, us-central1, 2025: check it.
        price_memory_gb_hour: USD an hour for a GB of memory; the default: list price, us-central1, 2025:
            check it.
        price_disk_gb_hour: USD an hour for a GB of standard persistent disk; the default: list price,
            us-central1, 2025: check it.
        price_accelerator_hour: USD an hour for a worker's accelerators; the default: list price, us-central1,
            2025: check it.
    """

    dry_run: bool = False
    dry_run_images: Annotated[int, Bounds(1)] = 64
    price_vcpu_hour: Annotated[float, Bounds(0)] = 0.056
    price_memory_gb_hour: Annotated[float, Bounds(0)] = 0.003557
    price_disk_gb_hour: Annotated[float, Bounds(0)] = 0.000054
    price_accelerator_hour: Annotated[float, Bounds(0)] = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerificationConfig:
    """What happens to stored features that are broken.

    Attributes:
        repair: compute again what is broken.
    """

    repair: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainerConfig:
    """The explainer's shape and the dimensionless weights of its losses.

    Attributes:
        interpretable_init: how the interpretable track starts: each filter as one performer filter moved by a
            random offset, or at random.
        init_shift: largest offset of shifted_identity, units.
        mask_beta_1: slope of the mask behind conv_interp_1; 0: no mask; the papers: 4.
        mask_beta_2: slope of the mask behind conv_interp_2; 0: no mask; the papers: 4.
        filter_loss: the filter loss: exact mutual information; ICNN's gradient with running Z_T; or the
            weighting of its released code, with learned beta.
        category_assignment: which images a filter takes for its own: all, those it responds to, those of its
            predicted category (categories share out the filters), or those of the predicted category with
            its highest mean peak, as in ICNN's released code.
        template_beta: slope of the filter loss's templates; ICNN: 4.
        temperature: scale of <x, T> in the filter loss, where x is measured in mean peaks of its filter.
        filter_weight: `lambda_f`: weight of the filter loss (mean over filters), on both layers.
        part_share_weight: `eta`: weight of -log p.
        reconstruction_weight: `lambda_l`: weight of the distilled layers' relative squared error.
        classification_weight: `lambda_cls`: weight of the cross entropy with the performer's own decision.
        parts: object parts, each a group of filters.
        prototype_weight: weight of the term that lets a part show where features look like its prototype.
        consensus_weight: weight of the term that lets the filters of a part peak in one place.
        competition_weight: weight of the term that keeps parts in different places.
        equivariance_weight: weight of the term that lets peaks move with the views that --views has stored;
            0: training reads the original view alone.
        initial_part_share: `p` before training.
        input_scale: the input is divided by this many times its mean.
        norm_floor: floor of alpha as a share of its mean.
        statistics_momentum: how much of a running statistic stays at each step.
    """

    interpretable_init: Literal["shifted_identity", "he"] = "shifted_identity"
    init_shift: Annotated[int, Bounds(0, 1)] = 0
    mask_beta_1: Annotated[float, Bounds(0)] = 0.0
    mask_beta_2: Annotated[float, Bounds(0)] = 0.5
    filter_loss: Literal["exact", "closed_form", "icnn"] = "exact"
    category_assignment: Literal["none", "activation", "predicted", "highest_peak"] = "none"
    template_beta: Annotated[float, Bounds(0)] = 4.0
    temperature: Annotated[float, Bounds(0)] = 1.0
    filter_weight: Annotated[float, Bounds(0)] = 0.2
    part_share_weight: Annotated[float, Bounds(0)] = 0.4
    reconstruction_weight: Annotated[float, Bounds(0)] = 1.0
    classification_weight: Annotated[float, Bounds(0)] = 0.0
    parts: Annotated[int, Bounds(1)] = 20
    prototype_weight: Annotated[float, Bounds(0)] = 1.0
    consensus_weight: Annotated[float, Bounds(0)] = 1.0
    competition_weight: Annotated[float, Bounds(0)] = 3.0
    equivariance_weight: Annotated[float, Bounds(0)] = 2.0
    initial_part_share: Annotated[float, Bounds(0.001, 0.999)] = 0.7
    input_scale: Annotated[float, Bounds(0)] = 5.0
    norm_floor: Annotated[float, Bounds(0)] = 0.1
    statistics_momentum: Annotated[float, Bounds(0, 0.9999)] = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the explainer is fitted.

    Attributes:
        epochs: passes over the images.
        steps: steps to train, in place of --epochs, so that small data sets train as long as large ones; the
            last epoch ends where they do. 0: as --epochs says.
        batch_size: images of the categories a step, over all replicas.
        negatives_per_batch: images of the negative class added to each step.
        learning_rate: Adam's step for the encoder.
        decoder_learning_rate: Adam's step for the decoder.
        part_share_learning_rate: Adam's step for w_p.
        learning_rate_schedule: how the learning rates fall: not at all, or to 0 with the last step.
        learning_rate_warmup: optimizer steps over which the learning rates first rise.
        filter_weight_schedule: how `lambda_f` falls: not at all, or as 1 / t in epoch t, as ICNN has it.
        gradient_clip: largest norm of the gradient; 0: no clipping.
        mixed_precision: what convolutions and dense layers compute in: float32, bfloat16, or bfloat16 where
            the devices have instructions for it. Variables and losses are float32.
        init_inhibition: how many times what all channels share (their mean, each divided by its standard
            deviation) is subtracted from each filter of conv_interp_1 before training; 0: not at all.
        xla: compile the training step with XLA.
        deterministic: the same command ends with the same bits, at some cost in time.
        strategy: devices: all GPUs or logical CPUs, the processes of TF_CONFIG, or one.
        logical_cpus: mirror over this many logical CPU devices; 0: the GPUs, or one CPU.
        seed: seed of initialisation, shuffling and dropout.
        resume: go on from the last checkpoint.
        checkpoint_steps: optimizer steps between checkpoints; 0: only at the end of epochs.
        keep_checkpoints: how many of the latest checkpoints stay.
        validation_every: epochs between measurements on held-out images; 0: none.
        validation_landmarks: take measures with landmarks, too (--best_measure=validation/landmarks/... does
            so anyway); an explainer that is chosen by one is not learned without labels.
        best_measure: measure, the lower the better, whose best epoch becomes the explainer; empty: the last.
        early_stopping: epochs without a better --best_measure after which training ends; 0: never.
        profile: first and last step to profile for TensorBoard, such as 20,30; empty: none.
    """

    epochs: Annotated[int, Bounds(1)] = 10
    steps: Annotated[int, Bounds(0)] = 0
    batch_size: Annotated[int, Bounds(1)] = 12
    negatives_per_batch: Annotated[int, Bounds(0)] = 4
    learning_rate: Annotated[float, Bounds(0)] = 2e-4
    decoder_learning_rate: Annotated[float, Bounds(0)] = 1.5e-4
    part_share_learning_rate: Annotated[float, Bounds(0)] = 2e-2
    learning_rate_schedule: Literal["constant", "cosine", "linear"] = "cosine"
    learning_rate_warmup: Annotated[int, Bounds(0)] = 0
    filter_weight_schedule: Literal["constant", "reciprocal"] = "constant"
    gradient_clip: Annotated[float, Bounds(0)] = 0.0
    mixed_precision: Literal["none", "bfloat16", "auto"] = "none"
    init_inhibition: Annotated[float, Bounds(0)] = 2.0
    xla: bool = False
    deterministic: bool = False
    strategy: Literal["mirrored", "multi_worker", "one_device"] = "mirrored"
    logical_cpus: Annotated[int, Bounds(0)] = 0
    seed: Annotated[int, Bounds(0)] = 0
    resume: bool = True
    checkpoint_steps: Annotated[int, Bounds(0)] = 0
    keep_checkpoints: Annotated[int, Bounds(1)] = 2
    validation_every: Annotated[int, Bounds(0)] = 1
    validation_landmarks: bool = False
    best_measure: str = ""
    early_stopping: Annotated[int, Bounds(0)] = 0
    profile: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is measured and drawn.

    Attributes:
        split: images for the measures of parts; fidelity is always measured on held-out ones, where there are
            any.
        landmarks: landmarks that parts are measured against; empty: all.
        top_images: images a filter and landmark keep; ICNN: 100.
        evidence_images: held-out images of which squares are covered, to see what parts look at; 0: none. It
            runs the performer 49 times an image (VGG-16 on one CPU: 12 images take 45 s).
        bootstrap: resamples for the 95 % intervals of the figures of parts, layers and fidelity; 0: none.
        compare: work directories whose measures are laid side by side, instead of measuring one.
        compare_format: how: a column a run for the terminal, or a row a run, by network and data set, in
            Markdown or as comma-separated values.
        sheet_filters: filters of the performer on the contact sheet.
        sheet_images: images a part or filter on the contact sheet.
    """

    split: Annotated[Literal["all", "train", "held_out"], Flag("evaluation_split")] = "all"
    landmarks: tuple[str, ...] = ()
    top_images: Annotated[int, Bounds(1)] = 100
    evidence_images: Annotated[int, Bounds(0)] = 0
    bootstrap: Annotated[int, Bounds(0)] = 0
    compare: tuple[str, ...] = ()
    compare_format: Literal["table", "markdown", "csv"] = "table"
    sheet_filters: Annotated[int, Bounds(1)] = 12
    sheet_images: Annotated[int, Bounds(1)] = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class SnapshotConfig:
    """What TensorBoard's Parts tab gets to show.

    Attributes:
        every: epochs between snapshots of the parts for TensorBoard; 0: none while training.
        images: images of a snapshot, evenly chosen from all categories (fewer where maps are large); 0: no
            snapshots.
    """

    every: Annotated[int, Bounds(0), Flag("snapshot_every")] = 5
    images: Annotated[int, Bounds(0), Flag("snapshot_images")] = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttributionConfig:
    """How a score is shared out among filters.

    Attributes:
        method: `integrated_gradients` add up to what lies between the average image's score and this one, up
            to a small gap; `gradient_x_activation` is quick, and leaves a large one.
        steps: places between the average image and this one where the gradient is taken; more leave a smaller
            gap.
        summary_images: held-out images, evenly chosen, on which a run sums up what the network looks at; all
            images where none is held out.
    """

    method: Annotated[Literal["integrated_gradients", "gradient_x_activation"], Flag("attribution")] = (
        "integrated_gradients"
    )
    steps: Annotated[int, Bounds(1), Flag("attribution_steps")] = 50
    summary_images: Annotated[int, Bounds(1)] = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplanationConfig:
    """Which images are explained, and what is left of it.

    Attributes:
        images: images to explain: files, folders or patterns, comma-separated, or the flag again; empty:
            held-out ones.
        held_out_images: how many held-out ones, without --image.
        explained_class: the class whose score is explained; default: what the performer says, every class of
            a probability above 0.5 where it is multi-label.
        parts: parts a picture shows.
        html: write a page with all explanations, too.
        output: where explanations go; default: WORKDIR/explanations.
    """

    images: Annotated[tuple[str, ...], Flag("image", repeated=True)] = ()
    held_out_images: Annotated[int, Bounds(1)] = 4
    explained_class: str | None = None
    parts: Annotated[int, Bounds(1, 7), Flag("shown_parts")] = 6
    html: bool = False
    output: Annotated[str | None, Flag("explanations_dir")] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplanationFileConfig:
    """Where explanations of many images go.

    Attributes:
        output: file of a JSON line an image; default: WORKDIR/explanations.jsonl.
        shards: files that the lines are divided among, with numbers in their names; 1: one, of that name.
    """

    output: Annotated[str | None, Flag("explanations_file")] = None
    shards: Annotated[int, Bounds(1), Flag("explanations_shards")] = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Where performer and explainer go as one SavedModel.

    Attributes:
        output: directory of the SavedModel; default: WORKDIR/exported.
    """

    output: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainConfig:
    """Which steps `run` takes.

    Attributes:
        own_head: `run` trains no head: --backbone is explained with its own one and ImageNet's classes.
    """

    own_head: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkDir:
    """Where each step leaves what the next one finds. Paths are text: they may be `gs://` ones.

    Attributes:
        root: directory of the run: every step leaves its results here for the next one.
        features_dir: where the features lie; default: WORKDIR/features.
    """

    root: Annotated[str, Flag("workdir")]
    features_dir: str | None = None

    @property
    def performer(self) -> str:
        """The performer, as one Keras file."""
        return posixpath.join(self.root, "performer.keras")

    @property
    def performer_report(self) -> str:
        """How the performer was trained and how well it does, for programs."""
        return posixpath.join(self.root, "performer.json")

    @property
    def backbone_maps(self) -> str:
        """What the frozen backbone made of the images, for the extraction to take over."""
        return posixpath.join(self.root, "backbone_maps.sqlite")

    @property
    def features(self) -> str:
        """Directory of the shards, the dead letters and the manifest."""
        return self.features_dir or posixpath.join(self.root, "features")

    @property
    def explainer(self) -> str:
        """The trained explainer, as one Keras file."""
        return posixpath.join(self.root, "explainer.keras")

    @property
    def checkpoints(self) -> str:
        """Directory of the training state to go on from."""
        return posixpath.join(self.root, "checkpoints")

    @property
    def run_record(self) -> str:
        """What a training was started with, for programs."""
        return posixpath.join(self.root, "run.json")

    @property
    def tensorboard(self) -> str:
        """Directory of the event files."""
        return posixpath.join(self.root, "tensorboard")

    @property
    def training_snapshots(self) -> str:
        """Directory of the event files with what the part filters show while they are trained."""
        return posixpath.join(self.tensorboard, "training")

    @property
    def evaluation_snapshot(self) -> str:
        """Directory of the event file with what all filters show in the end."""
        return posixpath.join(self.tensorboard, "evaluation")

    @property
    def metrics(self) -> str:
        """The measures, for programs."""
        return posixpath.join(self.root, "metrics.json")

    @property
    def part_groups(self) -> str:
        """The object parts: which filters each consists of, and its name."""
        return posixpath.join(self.root, "parts.json")

    @property
    def mean_features(self) -> str:
        """The average image's features, from which contributions are counted."""
        return posixpath.join(self.root, "mean_features.npz")

    @property
    def summary(self) -> str:
        """What the network looks at, for programs."""
        return posixpath.join(self.root, "summary.json")

    @property
    def summary_picture(self) -> str:
        """The same as a picture."""
        return posixpath.join(self.root, "summary.png")

    @property
    def explanations(self) -> str:
        """Directory of the explained images."""
        return posixpath.join(self.root, "explanations")

    @property
    def explanation_lines(self) -> str:
        """Many images explained, a JSON line each."""
        return posixpath.join(self.root, "explanations.jsonl")

    @property
    def exported(self) -> str:
        """Directory of the SavedModel."""
        return posixpath.join(self.root, "exported")

    @property
    def parts(self) -> str:
        """The contact sheet."""
        return posixpath.join(self.root, "parts.png")
