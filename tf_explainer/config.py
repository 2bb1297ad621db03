"""All settings as frozen dataclasses, one per pipeline stage.

`command_line.flags` turns every field into a flag: the field gives the name (unless `Flag` gives another),
type, bounds and default; its line under Attributes is the help. To add a setting, add a field and its line.
Library code sees these classes only, never flags. All values are plain, so they can be pickled for workers
and written as JSON.
"""

from __future__ import annotations

import dataclasses
import posixpath
from typing import Annotated, Literal


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The least and the greatest value of a setting; None: no bound."""

    least: float | None
    most: float | None = None


@dataclasses.dataclass(frozen=True)
class Flag:
    """The name of a setting's flag, if the field's name would be ambiguous among all settings.

    Attributes:
        name: of the flag.
        repeated: whether a list is given by repeating the flag, because its items may contain commas.
    """

    name: str
    repeated: bool = False


OutputKind = Literal["softmax", "softmax_logits", "sigmoid", "sigmoid_logits"]
"""The kind of a classifier's outputs, see `tf_explainer.scores`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """Which images and classes to use, and which images to hold out.

    Attributes:
        dataset: `folder`, `animal_part`, `creatures`, or a data set of tensorflow-datasets, such as
            cub200_parts.
        data_dir: directory of the data; for `folder` also a pattern (photos/*/*.jpg) or gs://.
        annotations: file with boxes and landmarks for the images of a `folder`: CSV or COCO's keypoint JSON,
            both described in docs/datasets.md.
        split: split of a tensorflow-datasets data set.
        categories: classes to keep, by name or synset, comma-separated; empty keeps all. Their order here
            does not matter: the data set's order is kept.
        negatives: whether to use images of no category (`animal_part`, `creatures`).
        negative_class: the class that stands for 'no object'; it gets no part.
        num_images: number of images that `creatures` draws.
        dataset_seed: seed of `creatures`.
        folds: number of folds into which images are divided, by a hash of their id.
        held_out_fold: the fold that training never sees.
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
    """Which pre-trained network to explain, and at which layers.

    Attributes:
        performer: a .keras or HDF5 file, or a classifier of KerasHub: a preset's name, a hf:// or kaggle://
            handle, or a preset's folder; default: WORKDIR/performer.keras.
        backbone: a keras.applications model: vgg16, ..., or alexnet, vgg_m, vgg_s, local_resnet.
        backbone_weights: `imagenet`, `none` (random), or a weights file of the same architecture; for
            alexnet, vgg_m and vgg_s the file that MatConvNet publishes (imagenet-vgg-m.mat).
        backbone_alpha: width multiplier of a MobileNet or local_resnet; default: that of the architecture.
        image_size: side of the performer's input, pixels.
        preprocessing: `keras.applications` module whose preprocess_input a --performer file expects; default:
            none.
        performer_modules: Python modules that register the custom classes of a --performer file.
        trust_performer_code: run code in a --performer file, such as Lambda layers; it can do anything that
            you can.
        outputs: what the performer's outputs are: probabilities (softmax, sigmoid) or their logits; auto:
            derived from its last activation.
        class_names: names of the performer's outputs, in order: comma-separated, a file with one name per
            line, or imagenet; empty: those of its training, else the sorted folders of --data_dir.
        target_layer: the layer whose feature map is explained; empty: chosen by the rule in
            docs/performers.md.
        distilled_layers: higher layers that the explainer reconstructs, lowest first; empty: chosen by the
            same rule.
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
    """How to train a head (and, optionally, the backbone) for the user's classes.

    Attributes:
        head_pooling: layer between the backbone and the head's first layer; auto: flatten for VGG, otherwise
            average.
        head_widths: widths of fc1, fc2, ...
        head_dropout: dropout rate after each hidden layer.
        train_backbone: whether to train the backbone, too.
        epochs: passes over the images.
        learning_rate: learning rate of Adam.
        batch_size: images per step.
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
    """How to compute and store features.

    Attributes:
        num_shards: number of feature files; an image always goes into the same file. 0: as many as the
            features' directory has, else one per 1000 images, at least 16.
        batch_size: images per pass of the performer.
        encoding: how features are stored: plain, in GZIP files, or only the values that are not 0, with their
            positions.
        jpeg_quality: quality of stored crops.
        views: further views stored for each image, comma-separated: flip (mirrored), shift (window moved at
            random), crop (a smaller window at random).
        views_seed: seed of the random views.
        max_dead_letters: share of unreadable images above which extraction fails.
        retry_dead_letters: retry images that could not be used: only their shards are recomputed.
        accelerator: GPU of the Dataflow workers of the extraction step, such as nvidia-tesla-t4; empty: none.
        worker_min_ram: minimum memory of the Dataflow workers of the extraction step, such as 16GB.
        overwrite: replace results of another configuration.
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
    """Whether to extract features or only to estimate the cost, and at which prices.

    The defaults are Dataflow's list prices for batch jobs in us-central1, in USD, as of 2025; current prices:
    https://cloud.google.com/dataflow/pricing.

    Attributes:
        dry_run: extract nothing; measure a sample, and print the number of images, bytes, time, and cost on
            Dataflow.
        dry_run_images: images that a dry run measures.
        price_vcpu_hour: USD per hour of a virtual CPU; check the default (list price, us-central1, 2025).
        price_memory_gb_hour: USD per hour of a GB of memory; check the default (list price, us-central1,
            2025).
        price_disk_gb_hour: USD per hour of a GB of standard persistent disk; check the default (list price,
            us-central1, 2025).
        price_accelerator_hour: USD per hour of a worker's accelerators; set it if you use any.
    """

    dry_run: bool = False
    dry_run_images: Annotated[int, Bounds(1)] = 64
    price_vcpu_hour: Annotated[float, Bounds(0)] = 0.056
    price_memory_gb_hour: Annotated[float, Bounds(0)] = 0.003557
    price_disk_gb_hour: Annotated[float, Bounds(0)] = 0.000054
    price_accelerator_hour: Annotated[float, Bounds(0)] = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerificationConfig:
    """What to do about broken stored features.

    Attributes:
        repair: recompute broken shards.
    """

    repair: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainerConfig:
    """The explainer's architecture and the dimensionless weights of its losses.

    Attributes:
        interpretable_init: initialisation of the interpretable track: each filter as one performer filter
            moved by a random offset, or at random.
        init_shift: largest offset of shifted_identity, units.
        mask_beta_1: slope of the mask after conv_interp_1; 0: no mask; the papers: 4.
        mask_beta_2: slope of the mask after conv_interp_2; 0: no mask; the papers: 4.
        filter_loss: the filter loss: exact mutual information; ICNN's gradient with running Z_T; or the
            weighting of ICNN's released code, with learned beta.
        category_assignment: the images that count as a filter's own: all; those it responds to; those of its
            predicted category (categories share out the filters); or those of the predicted category with
            its highest mean peak, as in ICNN's released code.
        template_beta: slope of the filter loss's templates; ICNN: 4.
        temperature: scale of <x, T> in the filter loss, where x is measured in mean peaks of its filter.
        filter_weight: `lambda_f`: weight of the filter loss (mean over filters), on both layers.
        part_share_weight: `eta`: weight of -log p.
        reconstruction_weight: `lambda_l`: weight of the distilled layers' relative squared error.
        classification_weight: `lambda_cls`: weight of the cross entropy with the performer's own decision.
        parts: number of object parts, each a group of filters.
        prototype_weight: weight of the term that makes a part respond where features resemble its prototype.
        consensus_weight: weight of the term that makes the filters of a part peak in the same place.
        competition_weight: weight of the term that keeps parts in different places.
        equivariance_weight: weight of the term that makes peaks move with the stored --views; 0: training
            reads only the original view.
        initial_part_share: `p` before training.
        input_scale: the input is divided by this many times its mean.
        norm_floor: floor of alpha as a share of its mean.
        statistics_momentum: share of a running statistic that is kept at each step.
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
    """How to train the explainer.

    Attributes:
        epochs: passes over the images.
        steps: steps to train, instead of --epochs, so that small data sets train as long as large ones; the
            last epoch may be cut short. 0: use --epochs.
        batch_size: images of the categories per step, over all replicas.
        negatives_per_batch: images of the negative class added to each step.
        learning_rate: learning rate of Adam for the encoder.
        decoder_learning_rate: learning rate of Adam for the decoder.
        part_share_learning_rate: learning rate of Adam for w_p.
        learning_rate_schedule: how the learning rates decay: not at all, or to 0 at the last step.
        learning_rate_warmup: optimizer steps over which the learning rates first rise.
        filter_weight_schedule: how `lambda_f` decays: not at all, or as 1 / t in epoch t, as in ICNN.
        gradient_clip: largest norm of the gradient; 0: no clipping.
        mixed_precision: precision of convolutions and dense layers: float32, bfloat16, or bfloat16 if the
            devices have instructions for it. Variables and losses are float32.
        init_inhibition: before training, the mean of all channels (each divided by its standard deviation),
            times this factor, is subtracted from each filter of conv_interp_1; 0: not at all.
        xla: compile the training step with XLA.
        deterministic: make the same command give bitwise the same result, at some cost in time.
        strategy: devices: all GPUs or logical CPUs, the processes of TF_CONFIG, or one device.
        logical_cpus: mirror over this many logical CPU devices; 0: use the GPUs, or one CPU.
        seed: seed of initialisation, shuffling and dropout.
        resume: continue from the last checkpoint.
        checkpoint_steps: optimizer steps between checkpoints; 0: only at the end of epochs.
        keep_checkpoints: number of latest checkpoints to keep.
        validation_every: epochs between measurements on held-out images; 0: none.
        validation_landmarks: take measures with landmarks, too (implied by
            --best_measure=validation/landmarks/...); an explainer that is chosen by such a measure is not
            learned without labels.
        best_measure: the explainer is taken from the epoch with the lowest value of this measure; empty: from
            the last epoch.
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
    """What to measure and draw.

    Attributes:
        split: images for the measures of parts; fidelity is always measured on held-out images, if there are
            any.
        landmarks: landmarks that parts are measured against; empty: all.
        top_images: images used per filter and landmark; ICNN: 100.
        evidence_images: held-out images in which squares are covered to see what parts look at; 0: none. This
            runs the performer 49 times per image (VGG-16 on one CPU: 12 images take 45 s).
        bootstrap: resamples for the 95 % intervals of the figures of parts, layers and fidelity; 0: none.
        compare: work directories whose measures to compare, instead of measuring one.
        compare_format: format of the comparison: a column per run for the terminal, or a row per run, by
            network and data set, in Markdown or as comma-separated values.
        sheet_filters: filters of the performer on the contact sheet.
        sheet_images: images per part or filter on the contact sheet.
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
    """What TensorBoard's Parts tab shows.

    Attributes:
        every: epochs between snapshots of the parts for TensorBoard; 0: none during training.
        images: images of a snapshot, evenly chosen from all categories (fewer if maps are large); 0: no
            snapshots.
    """

    every: Annotated[int, Bounds(0), Flag("snapshot_every")] = 5
    images: Annotated[int, Bounds(0), Flag("snapshot_images")] = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttributionConfig:
    """How to share out a score among filters.

    Attributes:
        method: contributions by `integrated_gradients` add up to the difference from the average image's
            score, except for a small gap; `gradient_x_activation` is fast, with a large gap.
        steps: points between the average image and the explained one where gradients are taken; more points
            leave a smaller gap.
        summary_images: number of held-out images, evenly chosen, for the summary of what the network looks
            at; from all images if none is held out.
    """

    method: Annotated[Literal["integrated_gradients", "gradient_x_activation"], Flag("attribution")] = (
        "integrated_gradients"
    )
    steps: Annotated[int, Bounds(1), Flag("attribution_steps")] = 50
    summary_images: Annotated[int, Bounds(1)] = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplanationConfig:
    """Which images to explain, and what to write.

    Attributes:
        images: images to explain: files, folders or patterns, comma-separated or by repeating the flag;
            empty: held-out images.
        held_out_images: number of held-out images to explain without --image.
        explained_class: the class whose score is explained; default: the class that the performer names, or
            every class with a probability above 0.5 if it is multi-label.
        parts: number of parts that a picture shows.
        html: also write a page with all explanations.
        output: directory of the explanations; default: WORKDIR/explanations.
    """

    images: Annotated[tuple[str, ...], Flag("image", repeated=True)] = ()
    held_out_images: Annotated[int, Bounds(1)] = 4
    explained_class: str | None = None
    parts: Annotated[int, Bounds(1, 7), Flag("shown_parts")] = 6
    html: bool = False
    output: Annotated[str | None, Flag("explanations_dir")] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplanationFileConfig:
    """Where to write the explanations of many images.

    Attributes:
        output: file with a JSON line per image; default: WORKDIR/explanations.jsonl.
        shards: number of files to divide the lines among, numbered; 1: one file, without a number.
    """

    output: Annotated[str | None, Flag("explanations_file")] = None
    shards: Annotated[int, Bounds(1), Flag("explanations_shards")] = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Where to write performer and explainer as one SavedModel.

    Attributes:
        output: directory of the SavedModel; default: WORKDIR/exported.
    """

    output: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainConfig:
    """Which steps `run` runs.

    Attributes:
        own_head: `run` trains no head and explains the --backbone with its own head, for ImageNet's classes.
    """

    own_head: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkDir:
    """The work directory, in which each step finds the results of earlier steps. Paths may be `gs://` URLs.

    Attributes:
        root: directory of the run; every step writes its results here for the next one.
        features_dir: directory of the features; default: WORKDIR/features.
    """

    root: Annotated[str, Flag("workdir")]
    features_dir: str | None = None

    @property
    def performer(self) -> str:
        """The performer as a Keras file."""
        return posixpath.join(self.root, "performer.keras")

    @property
    def performer_report(self) -> str:
        """How the performer was trained, and its accuracy, as JSON."""
        return posixpath.join(self.root, "performer.json")

    @property
    def backbone_maps(self) -> str:
        """Maps of the frozen backbone on the training images, which the extraction reuses."""
        return posixpath.join(self.root, "backbone_maps.sqlite")

    @property
    def features(self) -> str:
        """Directory of the shards, the dead letters and the manifest."""
        return self.features_dir or posixpath.join(self.root, "features")

    @property
    def explainer(self) -> str:
        """The trained explainer as a Keras file."""
        return posixpath.join(self.root, "explainer.keras")

    @property
    def checkpoints(self) -> str:
        """Directory of checkpoints, from which training continues."""
        return posixpath.join(self.root, "checkpoints")

    @property
    def run_record(self) -> str:
        """What training was started with, as JSON."""
        return posixpath.join(self.root, "run.json")

    @property
    def tensorboard(self) -> str:
        """Directory of the event files."""
        return posixpath.join(self.root, "tensorboard")

    @property
    def training_snapshots(self) -> str:
        """Directory of the event files with snapshots of the part filters during training."""
        return posixpath.join(self.tensorboard, "training")

    @property
    def evaluation_snapshot(self) -> str:
        """Directory of the event file with the snapshot of all filters after training."""
        return posixpath.join(self.tensorboard, "evaluation")

    @property
    def metrics(self) -> str:
        """The measures as JSON."""
        return posixpath.join(self.root, "metrics.json")

    @property
    def part_groups(self) -> str:
        """The filters and names of the object parts, as JSON."""
        return posixpath.join(self.root, "parts.json")

    @property
    def mean_features(self) -> str:
        """The mean features of all images, the baseline of contributions."""
        return posixpath.join(self.root, "mean_features.npz")

    @property
    def summary(self) -> str:
        """What the network looks at, as JSON."""
        return posixpath.join(self.root, "summary.json")

    @property
    def summary_picture(self) -> str:
        """What the network looks at, as a picture."""
        return posixpath.join(self.root, "summary.png")

    @property
    def explanations(self) -> str:
        """Directory of the explained images."""
        return posixpath.join(self.root, "explanations")

    @property
    def explanation_lines(self) -> str:
        """The explanations of many images, a JSON line each."""
        return posixpath.join(self.root, "explanations.jsonl")

    @property
    def exported(self) -> str:
        """Directory of the SavedModel."""
        return posixpath.join(self.root, "exported")

    @property
    def parts(self) -> str:
        """The contact sheet."""
        return posixpath.join(self.root, "parts.png")
