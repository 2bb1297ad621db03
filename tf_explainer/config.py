"""Every setting of the chain as frozen dataclasses, one per pipeline stage.

Binaries build these from flags (`tf_explainer.flags`); library code sees nothing else. All of them
are plain values, so that they can be pickled to workers and written to JSON as they are.
"""

from __future__ import annotations

import dataclasses
import posixpath
from typing import Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """Which images, which classes, and which of them are held out.

    Attributes:
        dataset: `folder`, `animal_part`, `creatures`, or the name of a tensorflow-datasets data set.
        data_dir: where the data lies (a folder, a pattern of files, or the tensorflow-datasets directory).
        split: split of a tensorflow-datasets data set.
        categories: the classes to keep, by name (or synset); empty keeps all.
        negatives: whether images of no category take part (`animal_part`, `creatures`).
        negative_class: name of the class that stands for "none of the categories"; it gets no part.
        num_images: how many images `creatures` draws in all.
        dataset_seed: seed of `creatures`.
        folds: images are divided into this many folds by a hash of their id.
        held_out_fold: the fold that training never sees.
    """

    dataset: str
    data_dir: str | None = None
    split: str = "train"
    categories: tuple[str, ...] = ()
    negatives: bool = True
    negative_class: str = "negative"
    num_images: int = 600
    dataset_seed: int = 0
    folds: int = 10
    held_out_fold: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerConfig:
    """Which pre-trained network is explained, and at which layers.

    Attributes:
        performer: a `.keras` file that is the performer; None takes the one in the work directory.
        backbone: name of a `keras.applications` model, as in its module (`vgg16`, `mobilenet_v2`).
        backbone_weights: `imagenet`, `none` (random) or a weights file of the same architecture.
        backbone_alpha: width multiplier of the MobileNets; None where the backbone has none.
        image_size: side of the square input, in pixels.
        preprocessing: the `keras.applications` module whose `preprocess_input` a user's own
            performer expects; None where the file preprocesses by itself.
        performer_modules: Python modules that register classes which the file uses.
        trust_performer_code: whether code in the file, such as Lambda layers, is run.
        target_layer: the layer whose feature map is explained; empty: found by `layer_selection`.
        distilled_layers: the higher layers that the explainer must give back, lowest first; empty: found.
    """

    performer: str | None = None
    backbone: str = "vgg16"
    backbone_weights: str = "imagenet"
    backbone_alpha: float | None = None
    image_size: int = 224
    preprocessing: str | None = None
    performer_modules: tuple[str, ...] = ()
    trust_performer_code: bool = False
    target_layer: str = ""
    distilled_layers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerTrainingConfig:
    """How a head (and, if asked, the backbone) is trained for the task at hand.

    Attributes:
        head_pooling: `flatten` or `average`: what stands between the backbone and the first layer; `auto`:
            what the backbone's own classifier has there.
        head_widths: widths of the head's hidden layers, named fc1, fc2, ...
        head_dropout: dropout rate behind each hidden layer.
        train_backbone: whether the backbone's weights are trained too.
        epochs: passes over the training images.
        learning_rate: Adam's step.
        batch_size: images a step.
        seed: seed of initialisation, shuffling and dropout.
    """

    head_pooling: str = "auto"
    head_widths: tuple[int, ...] = (512, 512)
    head_dropout: float = 0.5
    train_backbone: bool = False
    epochs: int = 10
    learning_rate: float = 1e-4
    batch_size: int = 32
    seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """How features are computed and stored.

    Attributes:
        num_shards: output files; the same images always land in the same shard.
        batch_size: images the performer sees at once.
        encoding: of the stored features: `float16`, `gzip` or `sparse` (`schema` says what they are).
        jpeg_quality: quality of the stored crops, 1 to 100.
        views: what is stored of every image besides its crop, out of `schema.VIEWS`.
        views_seed: of the views that are drawn at random.
        max_dead_letters: share of unreadable images above which the job fails.
        retry_dead_letters: whether shards with dead letters are computed again.
        accelerator: GPU that workers of the extraction step must have on Dataflow, e.g. `nvidia-tesla-t4`;
            empty: none.
        worker_min_ram: memory that they must have at least, e.g. `16GB`; empty: whatever they have.
        overwrite: whether features of another performer or configuration may be replaced.
    """

    num_shards: int = 16
    batch_size: int = 32
    encoding: Literal["float16", "gzip", "sparse"] = "sparse"
    jpeg_quality: int = 90
    views: tuple[str, ...] = ()
    views_seed: int = 0
    max_dead_letters: float = 0.05
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
        dry_run: whether to estimate only.
        dry_run_images: images that the estimate is measured on.
        price_vcpu_hour: of a virtual CPU for an hour.
        price_memory_gb_hour: of a GB of memory for an hour.
        price_disk_gb_hour: of a GB of a standard persistent disk for an hour.
        price_accelerator_hour: of a worker's accelerators for an hour; 0 without any.
    """

    dry_run: bool = False
    dry_run_images: int = 64
    price_vcpu_hour: float = 0.056
    price_memory_gb_hour: float = 0.003557
    price_disk_gb_hour: float = 0.000054
    price_accelerator_hour: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerificationConfig:
    """What happens to stored features that are broken.

    Attributes:
        repair: whether they are computed again.
    """

    repair: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainerConfig:
    """The explainer's shape and the dimensionless weights of its losses.

    Attributes:
        interpretable_init: `shifted_identity` (each filter starts as one performer filter moved by a
            random offset) or `he`.
        init_shift: largest offset of `shifted_identity`, in units of the feature map.
        mask_beta_1, mask_beta_2: slope of the mask behind `conv_interp_1`, `conv_interp_2`; 0 leaves
            the mask out. The papers use 4 on both.
        filter_loss: `exact` mutual information; `closed_form`, ICNN's gradient with running Z_T; or
            `icnn`, the weighting of its released code, with learned beta.
        category_assignment: which images a filter's loss takes for its own: `none`, all; `activation`, those
            that it responds to; `predicted`, those that the performer puts into the filter's category.
        template_beta: slope of the templates in the filter loss (ICNN: 4).
        temperature: scale of `<x, T>` in the filter loss; x is measured in mean peaks of its filter.
        filter_weight: lambda_f, weight of the filter loss (mean over filters), on both layers.
        part_share_weight: eta, weight of `-log p`.
        reconstruction_weight: lambda_l, weight of each layer's relative squared error.
        classification_weight: lambda_cls, weight of the cross entropy with the performer's own decision.
        constellations: groups of filters whose places are learned relative to one another.
        consistency_weight: weight of the rigid term that keeps each filter at its place.
        repulsion_weight: weight of the rigid term that keeps the filters' places apart.
        repulsion_width: reach of the repulsion, in units of the feature map.
        specificity_weight: weight of the term that silences filters on images of other categories.
        independence_weight: weight of the term that lets constellations move independently.
        equivariance_weight: weight of the term that lets peaks move with the stored views; 0: training reads
            the original view alone.
        independence_width: movement from which they count as independent, in units of the feature map.
        initial_part_share: p before training.
        input_scale: the input is divided by this many times its mean.
        norm_floor: floor of the norm layer's alpha, as a share of the mean alpha.
        statistics_momentum: how much of a running statistic stays at each step.
    """

    interpretable_init: str = "shifted_identity"
    init_shift: int = 1
    mask_beta_1: float = 0.0
    mask_beta_2: float = 0.5
    filter_loss: Literal["exact", "closed_form", "icnn"] = "exact"
    category_assignment: Literal["none", "activation", "predicted"] = "none"
    template_beta: float = 4.0
    temperature: float = 1.0
    filter_weight: float = 0.3
    part_share_weight: float = 0.4
    reconstruction_weight: float = 1.0
    classification_weight: float = 0.0
    constellations: int = 1
    consistency_weight: float = 0.5
    repulsion_weight: float = 1.0
    repulsion_width: float = 1.5
    independence_weight: float = 0.0
    independence_width: float = 1.5
    equivariance_weight: float = 0.0
    specificity_weight: float = 0.0
    initial_part_share: float = 0.7
    input_scale: float = 5.0
    norm_floor: float = 0.1
    statistics_momentum: float = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the explainer is fitted.

    Attributes:
        epochs: passes over the images of the categories.
        steps: in place of `epochs`: this many optimizer steps, so that small data sets train as long as large
            ones; the last epoch ends where they do. 0: as `epochs` says.
        batch_size: images of the categories a step, over all replicas.
        negatives_per_batch: images of the negative class added to each step.
        learning_rate: Adam's step for the encoder.
        decoder_learning_rate: Adam's step for the decoder.
        part_share_learning_rate: Adam's step for w_p.
        learning_rate_schedule: by what the three steps are multiplied: `constant` (1), `cosine` or `linear`
            (both fall to 0 with the last step).
        learning_rate_warmup: optimizer steps over which that factor first rises from 0.
        gradient_clip: largest Euclidean norm of the whole gradient; 0 does not clip.
        mixed_precision: what convolutions and dense layers compute in: `none` (float32), `bfloat16`, or
            `auto`: bfloat16 on devices that have instructions for it. Variables and losses are float32.
        xla: whether XLA compiles the step.
        deterministic: whether two runs end with the same bits, at some cost in time.
        strategy: `mirrored` (all GPUs, or the logical CPUs), `multi_worker` (the processes of TF_CONFIG) or
            `one_device`.
        logical_cpus: number of logical CPU devices to mirror over; 0 uses the GPUs, or one CPU.
        seed: seed of initialisation and shuffling.
        resume: whether to go on from the last checkpoint.
        checkpoint_steps: optimizer steps between checkpoints within an epoch; 0: only at the end of epochs.
        keep_checkpoints: how many of the latest checkpoints stay.
        validation_every: epochs between measurements on held-out images; 0: none.
        best_measure: the measure (the lower the better) whose best epoch becomes the explainer; empty: the
            last epoch does.
        early_stopping: epochs without a better `best_measure` after which training ends; 0: never.
        profile: first and last step to be profiled for TensorBoard; empty: none.
    """

    epochs: int = 10
    steps: int = 0
    batch_size: int = 16
    negatives_per_batch: int = 16
    learning_rate: float = 2e-4
    decoder_learning_rate: float = 5e-5
    part_share_learning_rate: float = 2e-2
    learning_rate_schedule: str = "cosine"
    learning_rate_warmup: int = 0
    gradient_clip: float = 0.0
    mixed_precision: str = "none"
    xla: bool = False
    deterministic: bool = False
    strategy: str = "mirrored"
    logical_cpus: int = 0
    seed: int = 0
    resume: bool = True
    checkpoint_steps: int = 0
    keep_checkpoints: int = 2
    validation_every: int = 1
    best_measure: str = ""
    early_stopping: int = 0
    profile: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is measured and drawn.

    Attributes:
        split: `all`, `train` or `held_out` images for the measures of parts; fidelity is always
            measured on the held-out images, where there are any.
        landmarks: the landmarks that count, out of the stored ones; empty: all.
        top_images: images a filter and landmark keep (ICNN: 100).
        bootstrap: resamples of the images for the 95 % intervals of all figures; 0: no intervals.
        compare: work directories whose measures are laid side by side, instead of measuring one.
        sheet_filters: filters a layer on the contact sheet.
        sheet_images: images a filter on the contact sheet.
    """

    split: str = "all"
    landmarks: tuple[str, ...] = ()
    top_images: int = 100
    bootstrap: int = 0
    compare: tuple[str, ...] = ()
    sheet_filters: int = 12
    sheet_images: int = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class SnapshotConfig:
    """What TensorBoard's Parts tab gets to show.

    Attributes:
        every: epochs of training between snapshots, and one at the end; 0: none while training.
        images: images of a snapshot, evenly chosen from all of the categories' (fewer where maps are large);
            0: no snapshots at all.
    """

    every: int = 5
    images: int = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplanationConfig:
    """Which images are explained, and what is left of it.

    Attributes:
        images: files, folders or patterns; empty: some of the run's held-out images.
        held_out_images: how many of those.
        explained_class: whose score is explained; None: what the performer says.
        parts: parts that the picture shows by themselves.
        html: whether a page with all explanations is written, too.
        output: directory of the explanations; None: in the work directory.
    """

    images: tuple[str, ...] = ()
    held_out_images: int = 4
    explained_class: str | None = None
    parts: int = 6
    html: bool = False
    output: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Where performer and explainer go as one SavedModel.

    Attributes:
        output: directory; None: in the work directory.
    """

    output: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkDir:
    """Where each step leaves what the next one finds. Paths are text: they may be `gs://` ones.

    Attributes:
        root: the directory of the run.
        features_dir: where the shards lie if not in the run's directory (several runs may share it).
    """

    root: str
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
    def explanations(self) -> str:
        """Directory of the explained images."""
        return posixpath.join(self.root, "explanations")

    @property
    def exported(self) -> str:
        """Directory of the SavedModel."""
        return posixpath.join(self.root, "exported")

    @property
    def parts(self) -> str:
        """The contact sheet."""
        return posixpath.join(self.root, "parts.png")
